//! Notifications: registering for them, and sending them (PX 4.14, 6).
//!
//! They carry no data, no signature and no order; each is repeated every five minutes until it is taken (PX 6.5). The
//! simulator only decides what is to be sent when; [`crate::webhooks`] puts it on the wire and reports back.

use super::Simulator;
use super::envelope::{Done, Refusal};
use super::routes::Call;
use super::settings::{Client, Switches};
use crate::entropy::Entropy;
use crate::webhooks::{Delivery, Failure, Outgoing};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::http::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Domains of an employer's own app (PX 6.4).
const DOMAINS: [&str; 13] = [
    "WRKR_EMPL",
    "WRKR_ASGN",
    "WRKR_DEM",
    "WRKR_ADD",
    "WRKR_CMP",
    "WRKR_TAX",
    "NET_PAY_DSTRB",
    "WRKR_SHIFT",
    "CLT_ORG",
    "CLT_PYRN",
    "CLT_PAY_COMP",
    "CLT_DEM",
    "PAY_PERIOD",
];

/// Domains for partners only (PX 6.4).
const PARTNER_DOMAINS: [&str; 4] = ["CLT_ACCESS", "CLT_PROD", "USR_CONSENT", "CLT_VEND_PYMT"];

/// How a notification proves where it comes from (PX 6.2). Nothing else about it proves anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookAuth {
    /// Nothing.
    None,
    /// HTTP Basic.
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: String,
    },
    /// A key in a header.
    Key(String),
    /// A bearer token, fetched from the receiver's own token address; the simulator has it beforehand.
    Bearer(String),
}

/// A registration.
#[derive(Debug, Clone)]
struct Hook {
    id: String,
    client: String,
    company: Option<String>,
    uri: String,
    kind: String,
    auth: HookAuth,
    domains: Vec<String>,
    created: Timestamp,
}

/// How notifications reach the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sending {
    /// So many of a thousand are sent a second time.
    pub twice_per_mille: u32,
    /// So many of a thousand never arrive.
    pub lost_per_mille: u32,
    /// The order is mixed (PX 6.5: none is promised).
    pub shuffled: bool,
}

/// What waits to be sent.
#[derive(Debug)]
pub(crate) struct Outbox {
    sending: Sending,
    hooks: Vec<Hook>,
    due: Vec<(Timestamp, Delivery)>,
    /// Ids of notifications that were taken, and how often.
    taken: BTreeMap<String, u64>,
    entropy: Entropy,
    made: u64,
}

impl Outbox {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            sending: Sending::default(),
            hooks: Vec::new(),
            due: Vec::new(),
            taken: BTreeMap::new(),
            entropy: Entropy::new(seed ^ 0x0B0C),
            made: 0,
        }
    }
}

impl Simulator {
    /// How notifications reach the wire from now on.
    pub fn set_sending(&mut self, sending: Sending) {
        self.outbox.sending = sending;
    }

    /// Registers an address as an administrator does, without the API: for all domains, of one company or of all.
    pub fn add_hook(&mut self, company: Option<&str>, uri: &str, auth: HookAuth, now: Timestamp) {
        self.add_hook_for(company, uri, auth, &DOMAINS, now);
    }

    /// Registers an address for some domains.
    pub fn add_hook_for(
        &mut self,
        company: Option<&str>,
        uri: &str,
        auth: HookAuth,
        domains: &[&str],
        now: Timestamp,
    ) {
        let id = self.hook_id();
        self.outbox.hooks.push(Hook {
            id,
            client: "key".to_owned(),
            company: company.map(str::to_owned),
            uri: uri.to_owned(),
            kind: auth.word(&self.switches).to_owned(),
            auth,
            domains: domains.iter().map(|&name| name.to_owned()).collect(),
            created: now,
        });
    }

    /// Forgets every registration and every notification that waits.
    pub fn clear_hooks(&mut self) {
        self.outbox.hooks.clear();
        self.outbox.due.clear();
    }

    /// Notifications that wait, repeats included.
    pub fn notifications_waiting(&self) -> usize {
        self.outbox.due.len()
    }

    /// How many notifications were taken, and how often one was taken again.
    pub fn notifications_taken(&self) -> (u64, u64) {
        let all: u64 = self.outbox.taken.values().sum();
        let different = self.outbox.taken.len() as u64;
        (different, all - different)
    }

    fn hook_id(&mut self) -> String {
        format!("hook-{:08x}", self.entropy.next_u64() & 0xFFFF_FFFF)
    }

    pub(super) fn announce_worker(
        &mut self,
        company: &str,
        worker: &str,
        domain: &str,
        action: &str,
        now: Timestamp,
    ) {
        // Direct deposits have no type (PX 6.3).
        let kind = (domain != "NET_PAY_DSTRB").then_some("WORKER_MESSAGE");
        self.announce(company, domain, action, kind, &[("workerId", worker)], now);
    }

    pub(super) fn announce_company(
        &mut self,
        company: &str,
        domain: &str,
        action: &str,
        now: Timestamp,
    ) {
        let display = self
            .records
            .companies
            .get(company)
            .map(|own| own.display_id.clone());
        let display = display.unwrap_or_default();
        // Organizations have no type, pay components show the display id (PX 6.3).
        let (kind, more) = match domain {
            "CLT_PAY_COMP" => (
                Some("CLT_PAY_COMP_MESSAGE"),
                vec![("displayId", display.as_str())],
            ),
            "CLT_ORG" => (None, Vec::new()),
            _ => (Some("CLT_DEMOGRAPHIC_MESSAGE"), Vec::new()),
        };
        self.announce(company, domain, action, kind, &more, now);
    }

    /// The member is spelt with a small p here, unlike anywhere else (PX 6.3).
    pub(super) fn announce_pay_run(&mut self, company: &str, period: &str, now: Timestamp) {
        let more = [("payperiodId", period)];
        self.announce(
            company,
            "CLT_PYRN",
            "PAYRUN_COMPLETED",
            Some("PAYRUN_MESSAGE"),
            &more,
            now,
        );
    }

    fn announce(
        &mut self,
        company: &str,
        domain: &str,
        action: &str,
        kind: Option<&str>,
        more: &[(&str, &str)],
        now: Timestamp,
    ) {
        self.outbox.made += 1;
        let random = self.outbox.entropy.next_u64();
        let id = format!(
            "5b0c5c6e-0000-4000-8000-{:04x}{:08x}",
            random & 0xFFFF,
            self.outbox.made
        );
        let mut body = Map::new();
        body.insert("companyId".to_owned(), json!(company));
        for (name, value) in more {
            body.insert((*name).to_owned(), json!(value));
        }
        let as_of = now.strftime("%Y-%m-%dT%H:%M:%S.000+00:00").to_string();
        body.insert("asOfDate".to_owned(), json!(as_of));
        let mut domains = vec![domain];
        if self.switches.joined_domains && domain == "WRKR_EMPL" {
            domains.push("WRKR_ASGN");
        }
        body.insert("domains".to_owned(), json!(domains));
        body.insert("action".to_owned(), json!(action));
        if let Some(kind) = kind {
            body.insert("notificationType".to_owned(), json!(kind));
        }
        body.insert("notificationId".to_owned(), json!(id));
        let body = Bytes::from(Value::Object(body).to_string());
        let hooks = self.outbox.hooks.clone();
        let fits = |hook: &&Hook| {
            hook.company.as_deref().is_none_or(|own| own == company)
                && hook.domains.iter().any(|own| own == domain)
                && self
                    .clients
                    .get(&hook.client)
                    .is_some_and(|own| own.reaches(company))
        };
        let wanted: Vec<Delivery> = hooks
            .iter()
            .filter(fits)
            .map(|hook| hook.delivery(&id, body.clone(), &self.switches))
            .collect();
        for delivery in wanted {
            self.send(delivery, now);
        }
    }

    fn send(&mut self, delivery: Delivery, now: Timestamp) {
        let Outbox {
            sending,
            entropy,
            due,
            ..
        } = &mut self.outbox;
        if entropy.chance(sending.lost_per_mille) {
            return;
        }
        if entropy.chance(sending.twice_per_mille) {
            due.push((now, delivery.clone()));
        }
        due.push((now, delivery));
        if sending.shuffled {
            entropy.shuffle(due);
        }
    }

    /// `/management/…`: domains, hooks, links of companies (PX 1.4, 4.14).
    pub(super) fn management(
        &mut self,
        call: &Call<'_>,
        client: &str,
        rest: &[&str],
    ) -> Result<Done, Refusal> {
        super::media::choose(call.request, &["management"])?;
        match (call.request.method, rest) {
            (Method::Get, ["domains"]) => {
                let own = json!(domains(&call.client));
                let nested = self.switches.nested_domains;
                Ok(Done::Bare(200, if nested { json!([own]) } else { own }))
            }
            (Method::Get, ["hooks"]) => {
                let own = self
                    .outbox
                    .hooks
                    .iter()
                    .filter(|hook| hook.client == client);
                let own: Vec<Value> = own.map(Hook::show).collect();
                if own.is_empty() && self.switches.no_hooks_is_404 {
                    return Err(Refusal::unknown("hook"));
                }
                Ok(Done::Bare(200, Value::Array(own)))
            }
            (Method::Post, ["hooks"]) => {
                let hook = self.read_hook(call, client)?;
                let shown = hook.show();
                self.outbox.hooks.push(hook);
                Ok(Done::Bare(201, shown))
            }
            (Method::Get, ["hooks", id]) => {
                let mut own = self.outbox.hooks.iter();
                let own = own.find(|hook| hook.client == client && hook.id == *id);
                Ok(Done::Bare(
                    200,
                    own.ok_or_else(|| Refusal::unknown("hook"))?.show(),
                ))
            }
            (Method::Delete, ["hooks", id]) => {
                let before = self.outbox.hooks.len();
                self.outbox
                    .hooks
                    .retain(|hook| hook.client != client || hook.id != *id);
                if self.outbox.hooks.len() == before {
                    return Err(Refusal::unknown("hook"));
                }
                Ok(Done::Nothing)
            }
            (Method::Post, ["requestclientaccess"]) if call.client.partner => self.link(call),
            (_, ["domains" | "hooks" | "requestclientaccess", ..]) => {
                Err(Refusal::new(405, "API-59", "The method is not supported"))
            }
            _ => Err(Refusal::unknown("resource")),
        }
    }

    fn read_hook(&mut self, call: &Call<'_>, client: &str) -> Result<Hook, Refusal> {
        let missing = |name: &str| Refusal::new(400, "API-46", format!("{name} is missing"));
        let wrong = |name: &str| Refusal::new(400, "API-22", format!("{name} is not valid"));
        let body: Value =
            serde_json::from_slice(&call.request.body).map_err(|_| wrong("the body"))?;
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let uri = text("uri").ok_or_else(|| missing("uri"))?;
        if !uri.starts_with("https://") && !uri.starts_with("http://127.0.0.1") {
            return Err(wrong("uri"));
        }
        let auth = body
            .get("authentication")
            .ok_or_else(|| missing("authentication"))?;
        let kind = auth.get("authType").and_then(Value::as_str);
        let kind = kind.ok_or_else(|| missing("authType"))?;
        let member = |name: &'static str| {
            let own = auth.get(name).and_then(Value::as_str).map(str::to_owned);
            own.ok_or_else(|| missing(name))
        };
        let key_word = HookAuth::Key(String::new()).word(&self.switches);
        let read = match kind {
            "NO_AUTH" => HookAuth::None,
            "BASIC_AUTH" => HookAuth::Basic {
                username: member("username")?,
                password: member("password")?,
            },
            "OAUTH2" | "OAUTH2_BASIC" => {
                for name in ["tokenUrl", "clientId", "grantType", "contentType"] {
                    member(name)?;
                }
                HookAuth::Bearer(member("clientSecret")?)
            }
            kind if kind == key_word => HookAuth::Key(member("apiKey")?),
            _ => return Err(wrong("authType")),
        };
        let wanted = body.get("domains").and_then(Value::as_array);
        let wanted = wanted.ok_or_else(|| missing("domains"))?;
        let allowed = domains(&call.client);
        let mut names = Vec::new();
        for name in wanted {
            let name = name.as_str().filter(|name| allowed.contains(name));
            names.push(name.ok_or_else(|| wrong("domains"))?.to_owned());
        }
        if names.is_empty() {
            return Err(missing("domains"));
        }
        let company = text("companyId").map(str::to_owned);
        if company
            .as_ref()
            .is_some_and(|id| !self.records.companies.contains_key(id))
        {
            return Err(wrong("companyId"));
        }
        Ok(Hook {
            id: self.hook_id(),
            client: client.to_owned(),
            company,
            uri: uri.to_owned(),
            kind: kind.to_owned(),
            auth: read,
            domains: names,
            created: call.now,
        })
    }

    /// Asks for a link; an administrator of the employer must approve it in the screens (PX 1.4).
    fn link(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let body: Value = serde_json::from_slice(&call.request.body).unwrap_or_default();
        let display = body
            .get("displayId")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut companies = self.records.companies.values();
        let own = companies.find(|own| own.display_id == display);
        let own = own.ok_or_else(|| Refusal::new(400, "API-22", "displayId is not known"))?;
        if call.client.reaches(&own.id) {
            return Err(Refusal::new(400, "API-17", "The company is already linked"));
        }
        let link = format!(
            "https://myapps.example.invalid/#?clients={}&app=IntegratedApps",
            own.id
        );
        Ok(Done::Bare(200, json!({ "approvalLink": link })))
    }
}

fn domains(client: &Client) -> Vec<&'static str> {
    let partner = PARTNER_DOMAINS.into_iter().filter(|_| client.partner);
    DOMAINS.into_iter().chain(partner).collect()
}

impl HookAuth {
    const fn word(&self, switches: &Switches) -> &'static str {
        match self {
            Self::None => "NO_AUTH",
            Self::Basic { .. } => "BASIC_AUTH",
            Self::Key(_) if switches.apikey_in_one_word => "APIKEY",
            Self::Key(_) => "API_KEY",
            Self::Bearer(_) => "OAUTH2",
        }
    }
}

impl Hook {
    /// Secrets are never given back (PX 6.1).
    fn show(&self) -> Value {
        json!({
            "hookId": self.id,
            "companyId": self.company,
            "uri": self.uri,
            "authType": self.kind,
            "createdDate": self.created.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string(),
            "active": true,
            "domains": self.domains,
        })
    }

    fn delivery(&self, id: &str, body: Bytes, switches: &Switches) -> Delivery {
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        match &self.auth {
            HookAuth::None => {}
            HookAuth::Basic { username, password } => {
                let encoded = STANDARD.encode(format!("{username}:{password}"));
                headers.push(("Authorization".to_owned(), format!("Basic {encoded}")));
            }
            HookAuth::Key(key) => {
                headers.push((switches.hook_key_header.to_owned(), key.clone()));
            }
            HookAuth::Bearer(token) => {
                headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
            }
        }
        Delivery {
            id: id.to_owned(),
            url: self.uri.clone(),
            headers,
            body,
            attempt: 1,
            events: 1,
        }
    }
}

impl Simulator {
    /// Takes up to so many notifications whose time has come. Each must be reported with
    /// [`Simulator::webhook_answered`].
    pub fn take_due_webhooks(&mut self, most: usize, now: Timestamp) -> Vec<Delivery> {
        let mut taken = Vec::new();
        let mut rest = Vec::new();
        for (due, delivery) in std::mem::take(&mut self.outbox.due) {
            if due <= now && taken.len() < most {
                taken.push(delivery);
            } else {
                rest.push((due, delivery));
            }
        }
        self.outbox.due = rest;
        taken
    }

    /// When the next notification is due; `None` if none waits.
    pub fn next_webhook_at(&self) -> Option<Timestamp> {
        self.outbox.due.iter().map(|(due, _)| *due).min()
    }

    /// Anything but 2xx is repeated after a while, without end, a 4xx too (PX 6.5).
    pub fn webhook_answered(
        &mut self,
        mut delivery: Delivery,
        outcome: Result<u16, Failure>,
        now: Timestamp,
    ) {
        if matches!(outcome, Ok(status) if (200..300).contains(&status)) {
            *self.outbox.taken.entry(delivery.id).or_default() += 1;
            return;
        }
        delivery.attempt += 1;
        let gap = SignedDuration::try_from(self.switches.notification_repeat);
        let due = now.checked_add(gap.unwrap_or(SignedDuration::MAX));
        let due = due.unwrap_or(Timestamp::MAX);
        self.outbox.due.push((due, delivery));
    }
}

impl Outgoing for Simulator {
    fn take_due_webhooks(&mut self, most: usize, now: Timestamp) -> Vec<Delivery> {
        Self::take_due_webhooks(self, most, now)
    }

    fn next_webhook_at(&self) -> Option<Timestamp> {
        Self::next_webhook_at(self)
    }

    fn webhook_answered(
        &mut self,
        delivery: Delivery,
        outcome: Result<u16, Failure>,
        now: Timestamp,
    ) {
        Self::webhook_answered(self, delivery, outcome, now);
    }
}
