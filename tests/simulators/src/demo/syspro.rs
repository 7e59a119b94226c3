//! SYSPRO in a demonstration. Every pairing whose target it is shares this.

use super::Options;
use crate::serve::Server;
use crate::syspro::{Fault, On, Operator, Period, Simulator, Switches};
use jiff::Timestamp;
use jiff::tz::TimeZone;

const OPERATOR_PASSWORD: &str = "p&ss w<rd";
const COMPANY_PASSWORD: &str = "b\u{f6}oks";

/// A simulator with this operator in this month, whose answers of these objects may be cut off.
pub(super) fn simulator(
    options: &Options,
    operator: &str,
    cut: &[&'static str],
    now: Timestamp,
) -> Simulator {
    let today = now.to_zoned(TimeZone::UTC).date();
    let period = Period {
        year: today.year(),
        number: today.month(),
    };
    let mut erp = Simulator::new(Switches::default(), options.seed, period);
    let settings = Operator {
        password: OPERATOR_PASSWORD.to_owned(),
        bank: "GC".to_owned(),
    };
    erp.set_operator(operator, settings);
    if let Some(company) = erp.company_mut("EDU1") {
        COMPANY_PASSWORD.clone_into(&mut company.password);
    }
    if options.cut_per_mille > 0 {
        for object in cut {
            let on = On::Object(object);
            erp.faults
                .chance(options.cut_per_mille, on, Fault::DropAfter);
        }
    }
    erp
}

/// The connection `syspro` of a site file, indented to stand under `connections:`.
pub(super) fn connection(server: &Server, operator: &str, options: &Options) -> String {
    format!(
        "\x20 syspro:\n\
         \x20   connector: syspro\n\
         \x20   settings: {{ base_url: \"{}/SYSPROWCFService/Rest\", operator: {operator}, company_id: EDU1, post_settle: {} }}\n\
         \x20   secrets: {{ operator_password: syspro/operator, company_password: syspro/company }}\n",
        server.url(),
        options.settle
    )
}

/// The connection's secrets.
pub(super) fn secrets() -> [(&'static str, String); 2] {
    [
        ("syspro/operator", OPERATOR_PASSWORD.to_owned()),
        ("syspro/company", COMPANY_PASSWORD.to_owned()),
    ]
}
