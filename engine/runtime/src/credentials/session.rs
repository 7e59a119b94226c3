//! Sessions: log on, use the token until a call says that it is stale, log off.
//!
//! # One live session per scope
//! Some systems end the first session when the same user logs on a second time. So a *scope* (the
//! connector says what identifies it) has one session at a time over all connections. Connections
//! take turns: calls of the connection whose session is live share it; another connection's call
//! waits until they are done, then the old session is logged off and a new one logged on. A
//! connection that has had its turn for [`TURN_MAX`] lets a waiting one go first.
//!
//! # One log-on at a time
//! Whoever finds no usable session marks the scope as changing and logs on; everybody else waits
//! for the result, also if it is a failure: nobody repeats a log-on that failed while it waited. A
//! token is dropped only by whoever brings that very token back as stale.
//!
//! # A refusal holds for the scope
//! Connections of one scope have circuits of their own, but they log on as the same user, whose
//! account a few refusals would lock. So after a refusal nobody of the scope logs on with the same
//! secrets until the wait is over, somebody resumes one of the connections, or the secrets change.

use super::Failure;
use super::refusals::Refusals;
use super::token::Token;
use crate::connection::Caller;
use crate::context::later;
use crate::seams::Clock;
use jiff::Timestamp;
use ml_connector_core::delivery::{Class, Outcome};
use ml_connector_core::identity::ConnectionId;
use ml_connector_core::plan::Auth;
use ml_connector_core::protocol;
use ml_connector_core::template::{EvalError, Scope as Names, Template};
use ml_connector_store::Announcer;
use serde_json::Value as Document;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a connection may keep the session while another one waits for its turn.
const TURN_MAX: Duration = Duration::from_secs(30);

/// The scopes of one engine, by key.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    scopes: Mutex<BTreeMap<String, Arc<Scope>>>,
}

impl Sessions {
    fn scope(&self, key: String) -> Arc<Scope> {
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(scopes.entry(key).or_default())
    }

    /// Keeps what was refused under the plan before.
    pub(crate) fn go_on_from(&self, before: &Self) {
        let before = before.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        let scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, scope) in scopes.iter() {
            if let Some(old) = before.get(key) {
                scope.held().refusals = std::mem::take(&mut old.held().refusals);
            }
        }
    }

    /// Every scope, for the tasks that end idle sessions and for the stop.
    pub(crate) fn all(&self) -> Vec<Arc<Scope>> {
        self.scopes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }
}

/// One user of one system: at most one live session.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    table: Mutex<Table>,
    announcer: Announcer,
}

#[derive(Debug, Default)]
struct Table {
    live: Option<Live>,
    /// A log-on or log-off is under way.
    changing: bool,
    /// Calls waiting for their connection's turn.
    waiting: BTreeMap<ConnectionId, usize>,
    /// Log-ons that failed.
    refusals: Refusals,
}

#[derive(Debug)]
struct Live {
    owner: Arc<Caller>,
    token: Arc<Token>,
    /// A call has said so: it is not used again, and needs no log-off.
    stale: bool,
    users: usize,
    turn_until: Timestamp,
    used_at: Timestamp,
    idle_max: Duration,
    /// It is given up from here on.
    until: Timestamp,
}

/// What a call finds at a scope.
enum Found {
    Use(Arc<Token>),
    /// The caller must log on, after ending this session if there is one.
    Change(Option<Live>),
    Wait,
    /// A log-on that this call waited for has failed, or another one would only be refused again.
    Failed(Failure),
}

/// A call's use of a session; given back on drop.
#[derive(Debug)]
pub(crate) struct Lease {
    scope: Arc<Scope>,
    token: Arc<Token>,
    clock: Arc<dyn Clock>,
}

impl Lease {
    pub(crate) fn token(&self) -> &Arc<Token> {
        &self.token
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut table = self.scope.held();
        if let Some(live) = table
            .live
            .as_mut()
            .filter(|live| live.token.is(&self.token))
        {
            live.users = live.users.saturating_sub(1);
            live.used_at = self.clock.now();
        }
        drop(table);
        self.scope.changed();
    }
}

/// One connection's way into its scope.
#[derive(Debug)]
pub(crate) struct SessionAuth {
    scope: Arc<Scope>,
    idle_max: Duration,
}

impl SessionAuth {
    pub(crate) fn new(
        caller: &Caller,
        sessions: &Sessions,
        scope: &Template,
        idle_max: &Template,
    ) -> Result<Self, EvalError> {
        let names = Names::new().with("settings", &caller.plan.settings);
        // The connector's name keeps two systems with equal addresses and users apart.
        let key = format!("{}|{}", caller.plan.connector.id, scope.text(&names)?);
        let idle_max = protocol::duration(idle_max, &caller.plan.settings)?;
        Ok(Self {
            scope: sessions.scope(key),
            idle_max,
        })
    }

    /// A use of the session; logs on if there is none.
    pub(crate) async fn enter(
        &self,
        caller: &Arc<Caller>,
        stopping: &CancellationToken,
    ) -> Result<Lease, Failure> {
        let mut changes = self.scope.announcer.changes();
        let mut waiting = None;
        let failures = self.scope.held().refusals.count();
        loop {
            changes.catch_up();
            match self.scope.find(caller, failures) {
                Found::Failed(failure) => return Err(failure),
                Found::Use(token) => return Ok(self.lease(caller, token)),
                Found::Change(old) => {
                    drop(waiting.take());
                    return self.change(caller, old).await;
                }
                Found::Wait => {
                    waiting.get_or_insert_with(|| Waiting::new(&self.scope, &caller.plan.id));
                    tokio::select! {
                        biased;
                        () = stopping.cancelled() => return Err(Failure::Stopping),
                        () = changes.changed() => {}
                    }
                }
            }
        }
    }

    /// Ends what was live before and logs on. The scope is marked as changing.
    async fn change(&self, caller: &Arc<Caller>, old: Option<Live>) -> Result<Lease, Failure> {
        let _changing = Changing(Arc::clone(&self.scope));
        if let Some(old) = old {
            log_off(&old).await;
        }
        let secrets = caller.secrets.resolve();
        let rules = &caller.plan.connector.http.circuit;
        let token = log_on(caller).await.inspect_err(|failure| {
            let mut table = self.scope.held();
            table
                .refusals
                .failed(failure, &secrets, rules, caller.now());
        })?;
        let now = caller.now();
        let mut table = self.scope.held();
        table.refusals.forget();
        table.live = Some(Live {
            owner: Arc::clone(caller),
            token: Arc::clone(&token),
            stale: false,
            users: 1,
            turn_until: later(now, TURN_MAX),
            used_at: now,
            idle_max: self.idle_max,
            until: match caller.auth() {
                Auth::Session {
                    life_max: Some(life_max),
                    ..
                } => later(now, *life_max),
                Auth::Session { life_max: None, .. }
                | Auth::None
                | Auth::Bearer { .. }
                | Auth::Basic { .. }
                | Auth::ApiKey { .. }
                | Auth::OauthClient(_)
                | Auth::OauthRefresh(_)
                | Auth::Choice(_)
                | Auth::Jwt(_) => Timestamp::MAX,
            },
        });
        drop(table);
        Ok(self.lease(caller, token))
    }

    fn lease(&self, caller: &Caller, token: Arc<Token>) -> Lease {
        Lease {
            scope: Arc::clone(&self.scope),
            token,
            clock: Arc::clone(&caller.seams.clock),
        }
    }

    /// Says whether this was the call that found out.
    pub(crate) fn stale(&self, token: &Token) -> bool {
        let mut table = self.scope.held();
        let live = table.live.as_mut().filter(|live| live.token.is(token));
        let first = live.is_some_and(|live| !std::mem::replace(&mut live.stale, true));
        drop(table);
        self.scope.changed();
        first
    }

    /// A person says that a refused log-on may be tried again.
    pub(crate) fn forgive(&self) {
        self.scope.held().refusals.forget();
    }

    pub(crate) fn view(&self) -> String {
        match &self.scope.held().live {
            Some(live) if !live.stale => format!("session of {}", live.owner.plan.id),
            Some(_) | None => "no session".to_owned(),
        }
    }
}

impl Scope {
    /// `failures` is how many log-ons had failed when the call came.
    fn find(&self, caller: &Caller, failures: u64) -> Found {
        let mut table = self.held();
        if table.changing {
            return Found::Wait;
        }
        let now = caller.now();
        let secrets = caller.secrets.resolve();
        let failed = table
            .refusals
            .since(failures)
            .or_else(|| table.refusals.stands(&secrets, now));
        let others_wait = table.waiting.keys().any(|id| *id != caller.plan.id);
        let Some(live) = &mut table.live else {
            if let Some(failure) = failed {
                return Found::Failed(failure);
            }
            table.changing = true;
            return Found::Change(None);
        };
        let mine = live.owner.plan.id == caller.plan.id;
        let turn_over = others_wait && now >= live.turn_until;
        let usable = !live.stale && !live.is_idle(now) && now < live.until;
        if mine && usable && !turn_over {
            live.users += 1;
            return Found::Use(Arc::clone(&live.token));
        }
        if live.users > 0 || (mine && turn_over) {
            return Found::Wait;
        }
        if let Some(failure) = failed {
            return Found::Failed(failure);
        }
        table.changing = true;
        Found::Change(table.live.take())
    }

    /// Ends the session whenever nobody has used it for long enough. Runs until `stopping`.
    pub(crate) async fn tend(self: Arc<Self>, clock: Arc<dyn Clock>, stopping: CancellationToken) {
        let mut changes = self.announcer.changes();
        loop {
            changes.catch_up();
            let idle_at = {
                let table = self.held();
                table
                    .live
                    .as_ref()
                    .filter(|live| live.users == 0 && !live.stale)
                    .map(Live::idle_at)
            };
            tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                () = changes.changed() => continue,
                () = clock.sleep_until(idle_at.unwrap_or(Timestamp::MAX)), if idle_at.is_some() => {}
            }
            self.end(|live| live.users == 0 && live.is_idle(clock.now()))
                .await;
        }
    }

    /// Ends the session at the engine's stop, when its calls are done.
    pub(crate) async fn close(self: &Arc<Self>) {
        self.end(|_| true).await;
    }

    async fn end(self: &Arc<Self>, which: impl Fn(&Live) -> bool) {
        let old = {
            let mut table = self.held();
            if table.changing || !table.live.as_ref().is_some_and(which) {
                return;
            }
            table.changing = true;
            table.live.take()
        };
        let _changing = Changing(Arc::clone(self));
        if let Some(old) = old {
            log_off(&old).await;
        }
    }

    fn changed(&self) {
        self.announcer.announce();
    }

    fn held(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn idle_at(&self) -> Timestamp {
        later(self.used_at, self.idle_max)
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        self.users == 0 && now >= self.idle_at()
    }
}

/// Ends the changing also when the task is dropped in the middle.
struct Changing(Arc<Scope>);

impl Drop for Changing {
    fn drop(&mut self) {
        self.0.held().changing = false;
        self.0.changed();
    }
}

/// Counts a waiting call also when its task is dropped.
struct Waiting {
    scope: Arc<Scope>,
    connection: ConnectionId,
}

impl Waiting {
    fn new(scope: &Arc<Scope>, connection: &ConnectionId) -> Self {
        *scope.held().waiting.entry(connection.clone()).or_default() += 1;
        Self {
            scope: Arc::clone(scope),
            connection: connection.clone(),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut table = self.scope.held();
        if let Some(count) = table.waiting.get_mut(&self.connection) {
            *count -= 1;
            if *count == 0 {
                table.waiting.remove(&self.connection);
            }
        }
        drop(table);
        self.scope.changed();
    }
}

async fn log_on(caller: &Arc<Caller>) -> Result<Arc<Token>, Failure> {
    let Auth::Session { logon, token, .. } = caller.auth() else {
        return Err(Failure::Stopping);
    };
    caller.pace().await;
    caller.counters.logged_on();
    let outcome = caller.session_call(logon, None).await?;
    let passing = |class, why: String, after| Failure::Passing {
        class,
        why: format!("log-on: {why}"),
        after,
    };
    let result = match outcome {
        Outcome::Succeeded { result, .. } => result,
        Outcome::AlreadyThere { .. } => Document::Null,
        Outcome::Retry { after, class, why } => return Err(passing(class, why, after)),
        Outcome::Throttle { after, why } => return Err(passing(Class::Capacity, why, after)),
        Outcome::Unknown { why } => return Err(passing(Class::Intermittent, why, None)),
        Outcome::Reauthenticate { why } => return Err(passing(Class::Authentication, why, None)),
        Outcome::Rejected { class, why, help } => {
            let why = format!("log-on refused: {why}");
            return Err(Failure::Refused { class, why, help });
        }
    };
    let names = Names::new().with("result", &result);
    match token.value(&names) {
        Ok(Document::String(text)) if !text.is_empty() => {
            tracing::info!(connection = %caller.plan.id, "logged on");
            Ok(Token::new(text, None))
        }
        Ok(_) => Err(passing(
            Class::Configuration,
            "the answer has no token".to_owned(),
            None,
        )),
        Err(error) => Err(passing(Class::Configuration, error.to_string(), None)),
    }
}

/// Ends a session. That it fails is no trouble of anybody's call: the other side ends it in time.
async fn log_off(old: &Live) {
    let caller = &old.owner;
    let Auth::Session {
        logoff: Some(logoff),
        ..
    } = caller.auth()
    else {
        return;
    };
    if old.stale {
        return;
    }
    let connection = &caller.plan.id;
    match caller.session_call(logoff, Some(&old.token)).await {
        Ok(Outcome::Succeeded { .. }) => tracing::info!(%connection, "logged off"),
        Ok(other) => {
            tracing::warn!(%connection, outcome = crate::connection::word(&other), "log-off failed");
        }
        Err(_) => tracing::warn!(%connection, "log-off failed"),
    }
}
