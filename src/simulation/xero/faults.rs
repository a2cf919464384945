//! What can go wrong with a call to the model, and when.

use std::collections::{BTreeMap, VecDeque};

use chrono::TimeDelta;

use super::http::Response;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Token,
    List,
    Delete,
    Authorise,
}

/// How a list says that it is a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Status 206.
    Partial,
    Link,
    ContentRange,
}

#[derive(Clone, Debug)]
pub enum Fault {
    /// 429. Without seconds there is no `Retry-After`.
    Limit { problem: Option<&'static str>, after: Option<u32> },
    /// 5xx, with a page.
    Outage(u16),
    /// Another status, with Xero's body for errors.
    Refuse(u16, &'static str),
    /// Anything at all, in place of the answer. The call has no effect.
    Say(Response),
    /// `[]`.
    EmptyList,
    /// No more than so many of the connections.
    ShortList(usize),
    /// The list says that it is a part.
    Marked(Mark),
    /// The first entry has the tenant's id in the connection's place.
    WrongId,
    /// The call takes effect, and its answer breaks off in the body.
    Half,
    /// The connection is reset before the call is read: it has no effect.
    Reset,
    /// The call takes effect, and then the connection is reset.
    Lost,
    /// The call takes effect, and nothing is ever said.
    Silence,
    /// The answer takes its time.
    Late(TimeDelta),
}

impl Fault {
    /// The call is not carried out.
    pub(super) fn is_before(&self) -> bool {
        matches!(
            self,
            Self::Limit { .. } | Self::Outage(_) | Self::Refuse(..) | Self::Say(_) | Self::Reset
        )
    }
}

/// Faults in the order in which they are due.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    next: BTreeMap<Call, VecDeque<Fault>>,
    always: BTreeMap<Call, Fault>,
}

impl Faults {
    pub fn next(&mut self, call: Call, fault: Fault) {
        self.next.entry(call).or_default().push_back(fault);
    }

    pub fn always(&mut self, call: Call, fault: Option<Fault>) {
        match fault {
            Some(fault) => drop(self.always.insert(call, fault)),
            None => drop(self.always.remove(&call)),
        }
    }

    pub fn take(&mut self, call: Call) -> Option<Fault> {
        let next = self.next.get_mut(&call).and_then(VecDeque::pop_front);
        next.or_else(|| self.always.get(&call).cloned())
    }
}
