//! Exit codes (docs/commands.md, "Exit codes").

/// How a command or run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exit {
    #[default]
    Done,
    /// It could not run, or was interrupted with work left.
    CouldNotRun,
    /// Usage or configuration.
    Configuration,
    /// An attempted effect failed or is unknown.
    EffectFailed,
    /// A safety limit stopped it.
    Stopped,
}

impl Exit {
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::CouldNotRun => 1,
            Self::Configuration => 2,
            Self::EffectFailed => 3,
            Self::Stopped => 4,
        }
    }

    /// Of several that apply: 2, then 1, 4, 3.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |exit| match exit {
            Self::Configuration => 4,
            Self::CouldNotRun => 3,
            Self::Stopped => 2,
            Self::EffectFailed => 1,
            Self::Done => 0,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_the_gravest_counts_whatever_their_order() {
        let order =
            [Exit::Done, Exit::EffectFailed, Exit::Stopped, Exit::CouldNotRun, Exit::Configuration];
        assert_eq!(order.map(Exit::code), [0, 3, 4, 1, 2]);
        for (index, graver) in order.iter().enumerate() {
            for lighter in &order[..index] {
                assert_eq!(lighter.and(*graver), *graver);
                assert_eq!(graver.and(*lighter), *graver);
            }
        }
    }
}
