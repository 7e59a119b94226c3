//! The table: every path, its least role, what it takes and gives.

use super::bodies::{
    CauseResolution, EntryValues, PlanSelection, PlanToApply, Reason, ReplayOne, Resolution,
    Resolutions, ToReconcile,
};
use super::documents::{
    Connections, Decisions, Deliveries, DeliveryDetail, Done, Entries, EntrySet, EventDetail,
    Holds, Integrations, OpenApi, Overview, Records, Trail, Verified, Version,
};
use super::handlers;
use super::route::{BODY_BYTES_MAX, Parameter, Route, schema};
use crate::operator::view::{DecidedView, EntryView};
use crate::operator::{Pinged, Reconciliation, ReloadStatus, ReplayPlan};
use ml_connector_store::tokens::Role;

const VIEWER: Option<Role> = Some(Role::Viewer);
const OPERATOR: Option<Role> = Some(Role::Operator);
const ADMIN: Option<Role> = Some(Role::Admin);

/// The longest plan that is taken.
const PLAN_BYTES_MAX: usize = 64 * 1024 * 1024;

const fn one(name: &'static str, about: &'static str, example: &'static str) -> Parameter {
    Parameter {
        name,
        about,
        several: false,
        example,
    }
}

const fn several(name: &'static str, about: &'static str, example: &'static str) -> Parameter {
    Parameter {
        several: true,
        ..one(name, about, example)
    }
}

const STATE: Parameter = several("state", "In this state.", "held");
const INTEGRATION: Parameter = several(
    "integration",
    "Of this integration, as the site names it.",
    "receipts",
);
const CONNECTION: Parameter = several("connection", "To this connection.", "ledger");
const CLASS: Parameter = several("class", "Held for this class of trouble.", "period");
const REFERENCE: Parameter = one(
    "reference",
    "With this event id, dedup key, order key, reference, or value of a receipt.",
    "PM1",
);
const SINCE: Parameter = one("since", "Accepted at or after.", "2026-03-01T00:00:00Z");
const UNTIL: Parameter = one("until", "Accepted before.", "2026-04-01T00:00:00Z");
const LIMIT: Parameter = one("limit", "Rows of the page: 50, or 1 to 1000.", "100");

/// What each row has, where it does not say otherwise.
const ROUTE: Route = Route {
    method: "GET",
    path: "",
    name: "",
    summary: "",
    role: VIEWER,
    query: &[],
    body: None,
    body_bytes_max: BODY_BYTES_MAX,
    answer: schema::<Done>,
    handler: handlers::openapi,
};

/// Everything there is.
pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/api/v1/openapi.json",
        name: "describe",
        summary: "This description.",
        role: None,
        answer: schema::<OpenApi>,
        handler: handlers::openapi,
        ..ROUTE
    },
    Route {
        path: "/api/v1/version",
        name: "version",
        summary: "The program's version and the definitions it runs.",
        answer: schema::<Version>,
        handler: handlers::version,
        ..ROUTE
    },
    Route {
        path: "/api/v1/status",
        name: "status",
        summary: "How everything stands: counts by integration, connections, polls, the journal's head.",
        answer: schema::<Overview>,
        handler: handlers::overview,
        ..ROUTE
    },
    Route {
        path: "/api/v1/integrations",
        name: "list_integrations",
        summary: "The integrations of the site, with what they read and write, and how their deliveries stand.",
        answer: schema::<Integrations>,
        handler: handlers::integrations,
        ..ROUTE
    },
    Route {
        method: "POST",
        path: "/api/v1/integrations/{integration}/pause",
        name: "pause_integration",
        summary: "Stop an integration's deliveries. Its events are still taken.",
        role: OPERATOR,
        body: Some(schema::<Reason>),
        handler: handlers::pause_integration,
        ..ROUTE
    },
    Route {
        method: "POST",
        path: "/api/v1/integrations/{integration}/resume",
        name: "resume_integration",
        summary: "Let an integration's deliveries go on.",
        role: OPERATOR,
        body: Some(schema::<Reason>),
        handler: handlers::resume_integration,
        ..ROUTE
    },
    Route {
        method: "POST",
        path: "/api/v1/reload",
        name: "reload_definitions",
        summary: "Read the definitions again, and run them if they have no errors. Answers when that is over.",
        role: ADMIN,
        body: Some(schema::<Reason>),
        answer: schema::<ReloadStatus>,
        handler: handlers::reload,
        ..ROUTE
    },
    Route {
        path: "/api/v1/deliveries",
        name: "list_deliveries",
        summary: "A page of deliveries, by id.",
        query: &[
            STATE,
            INTEGRATION,
            CONNECTION,
            CLASS,
            REFERENCE,
            SINCE,
            UNTIL,
            one(
                "after",
                "Only greater ids: the last one of the page before.",
                "dlv_42",
            ),
            LIMIT,
        ],
        answer: schema::<Deliveries>,
        handler: handlers::deliveries,
        ..ROUTE
    },
    Route {
        path: "/api/v1/deliveries/{delivery}",
        name: "get_delivery",
        summary: "One delivery with its attempts and everything that happened to it. Secrets and personal values are masked.",
        answer: schema::<DeliveryDetail>,
        handler: handlers::delivery,
        ..ROUTE
    },
    Route {
        method: "POST",
        path: "/api/v1/deliveries/{delivery}/resolution",
        name: "resolve_delivery",
        summary: "Decide about a delivery that waits.",
        role: OPERATOR,
        body: Some(schema::<Resolution>),
        answer: schema::<DecidedView>,
        handler: handlers::resolve,
        ..ROUTE
    },
    Route {
        method: "POST",
        path: "/api/v1/resolutions",
        name: "resolve_deliveries",
        summary: "Decide about several deliveries, each in a commit of its own.",
        role: OPERATOR,
        body: Some(schema::<Resolutions>),
        answer: schema::<Decisions>,
        handler: handlers::resolve_many,
        ..ROUTE
    },
    Route {
        method: "POST",
        path: "/api/v1/deliveries/{delivery}/replay",
        name: "replay_delivery",
        summary: "Take one delivery up again that was never posted. With `force` (role admin), post it a second time.",
        role: OPERATOR,
        body: Some(schema::<ReplayOne>),
        answer: schema::<DecidedView>,
        handler: handlers::replay,
        ..ROUTE
    },
    Route {
        method: "POST",
        path: "/api/v1/replays/plan",
        name: "plan_replay",
        summary: "What a replay would do under the present definitions: sorted, with field differences. Writes nothing.",
        role: OPERATOR,
        body: Some(schema::<PlanSelection>),
        answer: schema::<ReplayPlan>,
        handler: handlers::make_plan,
        ..ROUTE
    },
    Route {
        method: "POST",
        path: "/api/v1/replays/apply",
        name: "apply_replay",
        summary: "Try again what a plan says was never posted. Refused if anything has moved since it was made.",
        role: OPERATOR,
        body: Some(schema::<PlanToApply>),
        body_bytes_max: PLAN_BYTES_MAX,
        answer: schema::<Decisions>,
        handler: handlers::apply_plan,
        ..ROUTE
    },
    Route {
        method: "POST",
        path: "/api/v1/reconciliations",
        name: "reconcile",
        summary: "Compare a statement of the source (a payout), or those of a time, with what was posted. Writes nothing.",
        role: OPERATOR,
        body: Some(schema::<ToReconcile>),
        answer: schema::<Reconciliation>,
        handler: handlers::reconcile,
        ..ROUTE
    },
    Route {
        path: "/api/v1/holds",
        name: "list_holds",
        summary: "What is held, grouped by identical cause, with the next step.",
        query: &[INTEGRATION, CONNECTION, CLASS, SINCE, UNTIL],
        answer: schema::<Holds>,
        handler: handlers::holds,
        ..ROUTE
    },
    Route {
        method: "POST",
        path: "/api/v1/holds/{cause}/resolution",
        name: "resolve_cause",
        summary: "Retry or discard everything that is held for one cause.",
        role: OPERATOR,
        body: Some(schema::<CauseResolution>),
        answer: schema::<Decisions>,
        handler: handlers::resolve_cause,
        ..ROUTE
    },
    Route {
        path: "/api/v1/connections",
        name: "list_connections",
        summary: "The connections: circuit, session, request budget, pause.",
        answer: schema::<Connections>,
        handler: handlers::connections,
        ..ROUTE
    },
    Route {
        method: "POST",
        path: "/api/v1/connections/{connection}/pause",
        name: "pause_connection",
        summary: "Stop a connection's calls. Webhooks are still taken; deliveries wait.",
        role: OPERATOR,
        body: Some(schema::<Reason>),
        handler: handlers::pause,
        ..ROUTE
    },
    Route {
        method: "POST",
        path: "/api/v1/connections/{connection}/resume",
        name: "resume_connection",
        summary: "Let a connection's calls go on, and try a system in trouble at once.",
        role: OPERATOR,
        body: Some(schema::<Reason>),
        handler: handlers::resume,
        ..ROUTE
    },
    Route {
        method: "POST",
        path: "/api/v1/connections/{connection}/ping",
        name: "ping_connection",
        summary: "Log on to the real system and read something harmless.",
        role: OPERATOR,
        answer: schema::<Pinged>,
        handler: handlers::ping,
        ..ROUTE
    },
    Route {
        path: "/api/v1/crosswalks/{table}",
        name: "list_entries",
        summary: "A page of a matching table, by key.",
        query: &[
            one(
                "after",
                "Only greater keys: the last one of the page before.",
                "CU1",
            ),
            LIMIT,
        ],
        answer: schema::<Entries>,
        handler: handlers::entries,
        ..ROUTE
    },
    Route {
        path: "/api/v1/crosswalks/{table}/{key}",
        name: "get_entry",
        summary: "One entry of a matching table.",
        answer: schema::<EntryView>,
        handler: handlers::entry,
        ..ROUTE
    },
    Route {
        method: "PUT",
        path: "/api/v1/crosswalks/{table}/{key}",
        name: "set_entry",
        summary: "Set an entry. Deliveries that are held for it go on.",
        role: OPERATOR,
        body: Some(schema::<EntryValues>),
        answer: schema::<EntrySet>,
        handler: handlers::set_entry,
        ..ROUTE
    },
    Route {
        method: "DELETE",
        path: "/api/v1/crosswalks/{table}/{key}",
        name: "remove_entry",
        summary: "Remove an entry.",
        role: OPERATOR,
        query: &[one(
            "reason",
            "Why, in your words; the audit trail keeps it.",
            "left us",
        )],
        answer: schema::<EntrySet>,
        handler: handlers::remove_entry,
        ..ROUTE
    },
    Route {
        path: "/api/v1/events/{event}",
        name: "get_event",
        summary: "A stored event: its ids, its hash, the deliveries made of it. Never the event itself.",
        answer: schema::<EventDetail>,
        handler: handlers::event,
        ..ROUTE
    },
    Route {
        path: "/api/v1/audit/records",
        name: "list_records",
        summary: "A page of the audit trail's records, in order, without the events as received.",
        query: &[
            one("after", "Only greater sequence numbers.", "1200"),
            LIMIT,
        ],
        answer: schema::<Records>,
        handler: handlers::records,
        ..ROUTE
    },
    Route {
        path: "/api/v1/audit/trail",
        name: "show_trail",
        summary: "Everything that happened to one payment or document, across its events and integrations.",
        query: &[one(
            "reference",
            "A payment's or event's id, a delivery, our reference, or the target's document number.",
            "PM1",
        )],
        answer: schema::<Trail>,
        handler: handlers::trail,
        ..ROUTE
    },
    Route {
        path: "/api/v1/audit/verification",
        name: "verify_audit",
        summary: "Read the whole journal and verify every checksum and the hash chain.",
        answer: schema::<Verified>,
        handler: handlers::verification,
        ..ROUTE
    },
];
