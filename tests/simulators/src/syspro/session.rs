//! Logon, sessions, logoff (SY 2).

use super::Simulator;
use super::answer::Exception;
use jiff::{SignedDuration, Timestamp};

/// An operator and the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Password, may be blank.
    pub password: String,
    /// Bank used where a document names none (SY 4.1).
    pub bank: String,
}

/// A live session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) operator: String,
    pub(crate) company: String,
    used: Timestamp,
}

impl Simulator {
    /// Logs an operator on and ends the session that the operator had (SY 2.4). Wrong password as recorded; the other
    /// wordings are ours (SY 2.5).
    pub(crate) fn logon(
        &mut self,
        parameter: impl Fn(&str) -> Option<String>,
        now: Timestamp,
    ) -> Result<String, Exception> {
        let mut wanted = Vec::new();
        // Blanks are tolerated, missing parameters are not (SY 2.1).
        for name in [
            "Operator",
            "OperatorPassword",
            "CompanyId",
            "CompanyPassword",
        ] {
            let value = parameter(name);
            wanted
                .push(value.ok_or_else(|| Exception::new(format!("Parameter {name} is missing")))?);
        }
        let [operator, password, company, company_password] = wanted.as_slice() else {
            return Err(Exception::new("Parameters are missing"));
        };
        if self.logons_blocked_until.is_some_and(|until| now < until) {
            return Err(Exception::new(
                "Logon prevented by the administrator: month end",
            ));
        }
        let known = self.operators.get(&operator.to_uppercase());
        let known = known.ok_or_else(|| Exception::new("Invalid operator"))?;
        if &known.password != password {
            return Err(Exception::new("Invalid operator password"));
        }
        let found = self.companies.get(&company.to_uppercase());
        let found = found.ok_or_else(|| Exception::new("Invalid company"))?;
        if &found.password != company_password {
            return Err(Exception::new("Invalid company password"));
        }
        let operator = operator.to_uppercase();
        let evicted = self
            .sessions
            .iter()
            .filter(|session| session.operator == operator)
            .count();
        if self.sessions.len() - evicted >= self.switches.seats {
            return Err(Exception::new(
                "Maximum number of licensed users are logged in",
            ));
        }
        self.evictions += u64::try_from(evicted).unwrap_or(0);
        self.end_sessions_of(&operator);
        let id = format!(
            "{:016X}{:016X}00",
            self.entropy.next_u64(),
            self.entropy.next_u64()
        );
        let company = company.to_uppercase();
        self.sessions.push(Session {
            id: id.clone(),
            operator,
            company,
            used: now,
        });
        self.logons += 1;
        // Two trailing spaces, 36 bytes in all (SY 2.2).
        Ok(format!("{id}  "))
    }

    /// Ends every session of an operator, and what it still runs if the switch says so (SY 2.5).
    pub(crate) fn end_sessions_of(&mut self, operator: &str) {
        if self.switches.eviction_aborts_running_post {
            let ended: Vec<String> = self
                .sessions
                .iter()
                .filter(|session| session.operator == operator)
                .map(|session| session.id.clone())
                .collect();
            self.late.abort(|call| ended.contains(&call.session));
        }
        let running = |id: &str| self.late.calls().any(|call| call.session == id);
        let ended = self
            .sessions
            .iter()
            .filter(|session| session.operator == operator);
        self.ended
            .extend(ended.filter(|session| running(&session.id)).cloned());
        self.sessions.retain(|session| session.operator != operator);
    }

    /// The session of an id, with or without its trailing spaces, unless it was idle for too long (SY 2.2, 2.5).
    pub(crate) fn session(&mut self, id: &str, now: Timestamp) -> Result<Session, Exception> {
        let id = id.trim();
        if let Some(limit) = self.switches.idle_expiry {
            let limit = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
            self.sessions
                .retain(|session| now.duration_since(session.used) <= limit);
        }
        let session = self.sessions.iter_mut().find(|session| session.id == id);
        let session = session.ok_or_else(|| Exception::new("The supplied UserID is invalid."))?;
        session.used = now;
        Ok(session.clone())
    }

    /// Ends a session: `0` (SY 2.3). The last two digits name the instance, which must exist (SY 2.5).
    pub(crate) fn logoff(&mut self, id: &str, now: Timestamp) -> Result<String, Exception> {
        let id = id.trim();
        let instance = id.get(32..34).unwrap_or("00");
        if instance != "00" && id.len() == 34 {
            let digit = instance.trim_start_matches('0');
            let text =
                format!("Unable to read the SYSPRO base directory registry string BaseDir{digit}");
            return Err(Exception::new(text));
        }
        let session = self.session(id, now)?;
        self.sessions.retain(|other| other.id != session.id);
        Ok("0".to_owned())
    }

    /// A human signs in to the client with that operator: the engine's session is gone (SY 2.4).
    pub fn sign_in_at_the_client(&mut self, operator: &str) {
        self.evictions += 1;
        self.end_sessions_of(&operator.to_uppercase());
    }

    /// How many sessions are open: one per seat that is in use.
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// How many logons have succeeded.
    pub fn logons(&self) -> u64 {
        self.logons
    }

    /// How many sessions were ended by another logon of the same operator.
    pub fn evictions(&self) -> u64 {
        self.evictions
    }
}
