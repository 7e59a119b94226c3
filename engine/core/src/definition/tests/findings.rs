//! One mistake, one finding, at its place.

use super::*;

const CONNECTOR: &str = "connectors/netledger/connector.yaml";
const FLOW: &str = "mappings/netledger-payfast/bills.yaml";
