//! What workers tell a replica's supervisor.

#[derive(Debug)]
pub(crate) enum Notice {
    /// The generation's process is gone, or another one.
    Lost { generation: u64 },
    /// Something about it is odd: it may be wedged.
    Suspect { generation: u64, suspicion: Suspicion },
    /// The process has served as many events as it may.
    Spent { generation: u64 },
    /// No configuration uses the instance any more.
    Unused { epoch: u32, id: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// It has said nothing in an event for a while: whoever works long is as silent.
    Silent,
    /// An event has exceeded its time.
    Late,
    /// A handler raised, which not every server survives.
    Raised,
}
