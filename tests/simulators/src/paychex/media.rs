//! Media types: which projection an `Accept` asks for (PX 3.1, 3.2).

use super::envelope::Refusal;
use ml_connector_core::http::HttpRequest;

const PREFIX: &str = "application/vnd.paychex.";
const SUFFIX: &str = ".v1+json";

/// The projection that a request asks for, out of those that the operation has; the first is the default, which
/// `application/json` gets too (PX 3.1).
pub(crate) fn choose(
    request: &HttpRequest,
    offered: &[&'static str],
) -> Result<&'static str, Refusal> {
    let refusal = || Refusal::new(406, "API-75", "The media type is not supported");
    let default = offered.first().copied().ok_or_else(refusal)?;
    let Some(accept) = request.header("accept") else {
        return Ok(default);
    };
    for wanted in accept.split(',') {
        let wanted = wanted.split(';').next().unwrap_or_default().trim();
        if ["application/json", "*/*", "application/*"].contains(&wanted) {
            return Ok(default);
        }
        let name = wanted
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_suffix(SUFFIX));
        let found = offered.iter().find(|own| Some(**own) == name);
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(refusal())
}

/// Whether a projection carries social security numbers, birth dates and the like (PX 4.7).
pub(crate) fn carries_identifiers(name: &str) -> bool {
    matches!(
        name,
        "workers" | "workers_communications" | "worker" | "worker_communications"
    )
}
