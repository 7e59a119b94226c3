//! Planned misfortune: a script of faults that strike in order, and chances that strike at random from a seed.

use crate::entropy::Entropy;

/// Faults waiting to happen. `S` says which calls a fault may strike, `F` what it does; each system has its own pair.
#[derive(Debug, Clone)]
pub struct Faults<S, F> {
    script: Vec<(S, F)>,
    chances: Vec<(S, F, u32)>,
    entropy: Entropy,
    struck: u64,
}

impl<S: Clone, F: Clone> Faults<S, F> {
    /// None planned. The seed decides where chances strike.
    pub fn new(seed: u64) -> Self {
        Self {
            script: Vec::new(),
            chances: Vec::new(),
            entropy: Entropy::new(seed),
            struck: 0,
        }
    }

    /// Strikes the next call in scope, once. Several planned for one scope strike one call each, in this order.
    pub fn plan(&mut self, scope: S, fault: F) {
        self.script.push((scope, fault));
    }

    /// Strikes the next `times` calls in scope.
    pub fn plan_times(&mut self, times: usize, scope: &S, fault: &F) {
        for _ in 0..times {
            self.plan(scope.clone(), fault.clone());
        }
    }

    /// Strikes so many of a thousand calls in scope, until [`Faults::clear`].
    pub fn chance(&mut self, per_mille: u32, scope: S, fault: F) {
        self.chances.push((scope, fault, per_mille));
    }

    /// Forgets every plan and chance.
    pub fn clear(&mut self) {
        self.script.clear();
        self.chances.clear();
    }

    /// How many faults have struck so far.
    pub fn struck(&self) -> u64 {
        self.struck
    }

    /// How many scripted faults still wait.
    pub fn waiting(&self) -> usize {
        self.script.len()
    }

    /// The fault for one call, if any: the first scripted one whose scope fits, else the first chance that strikes.
    pub fn take(&mut self, in_scope: impl Fn(&S) -> bool) -> Option<F> {
        if let Some(at) = self.script.iter().position(|(scope, _)| in_scope(scope)) {
            self.struck += 1;
            return Some(self.script.remove(at).1);
        }
        for (scope, fault, per_mille) in &self.chances {
            if in_scope(scope) && self.entropy.chance(*per_mille) {
                self.struck += 1;
                return Some(fault.clone());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripted_faults_strike_once_in_order_and_only_in_scope() {
        let mut faults: Faults<&str, u8> = Faults::new(1);
        faults.plan("post", 1);
        faults.plan("post", 2);
        assert_eq!(faults.take(|scope| *scope == "get"), None);
        assert_eq!(faults.take(|scope| *scope == "post"), Some(1));
        assert_eq!(faults.take(|scope| *scope == "post"), Some(2));
        assert_eq!(faults.take(|scope| *scope == "post"), None);
        assert_eq!(faults.struck(), 2);
    }

    #[test]
    fn a_chance_strikes_about_as_often_as_asked() {
        let mut faults: Faults<(), ()> = Faults::new(9);
        faults.chance(50, (), ());
        let hits = (0..10_000)
            .filter(|_| faults.take(|()| true).is_some())
            .count();
        assert!((400..=600).contains(&hits), "{hits} of 10000");
    }
}
