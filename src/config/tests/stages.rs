//! `[[campaign.stages]]`.

use super::{Broken, assert_each_is_reported, parse, with};
use crate::domain::campaign::{Channel, StageDay};

const INVITATION: &str = "name = \"invitation\"\ndays_before = 120";

#[test]
fn what_is_wrong_with_a_stage_is_said_with_its_place() {
    assert_each_is_reported(&[
        Broken {
            piece: INVITATION,
            replacement: "name = \"final\"\ndays_before = 120",
            at: "\"final\"\ndays_before = 60",
            message: "a second stage is called \"final\"",
            help: "a name of its own",
        },
        Broken {
            piece: INVITATION,
            replacement: "name = \"invitation\"\ndays_before = 0060",
            at: "0060",
            message: "leading zero",
            help: "numbers",
        },
        Broken {
            piece: INVITATION,
            replacement: "name = \"invitation\"\ndays_before = 60",
            at: "60\nfinal = true",
            message: "\"final\" and \"invitation\" fall on one day",
            help: "a day of its own",
        },
        Broken {
            piece: INVITATION,
            replacement: "name = \"invitation\"\ndays_before = 120\ndays_after = 1",
            at: "days_after",
            message: "either before or after the deadline",
            help: "take out",
        },
        Broken {
            piece: INVITATION,
            replacement: "name = \"invitation\"",
            at: "[[campaign.stages]]\nname = \"invitation\"",
            message: "`days_before` or `days_after` is missing",
            help: "write `days_before = 60`",
        },
        Broken {
            piece: INVITATION,
            replacement: "name = \"invitation\"\ndays_before = 120\nfinal = true",
            at: "true\n\n[prompts]",
            message: "\"final\" and \"invitation\" are both final",
            help: "at one stage only",
        },
        Broken {
            piece: INVITATION,
            replacement: "name = \"invitation\"\ndays_before = 120\nchannels = [\"email\", \"webhook:prodcut\"]",
            at: "\"webhook:prodcut\"",
            message: "no [[webhooks]] is called \"prodcut\"",
            help: "write `\"webhook:product\"`",
        },
        Broken {
            piece: INVITATION,
            replacement: "name = \"invitation\"\ndays_before = 120\nchannels = [\"sms\"]",
            at: "\"sms\"",
            message: "is \"sms\", which is no channel",
            help: "\"email\", \"file\", or \"webhook:\"",
        },
        Broken {
            piece: INVITATION,
            replacement: "name = \"invitation\"\ndays_before = 120\nchannels = []",
            at: "[]",
            message: "`channels` is empty",
            help: "take the stage out",
        },
        Broken {
            piece: INVITATION,
            replacement: "name = \"invitation\"\ndays_before = 120\nchannels = [\"file\", \"file\"]",
            at: "\"file\"]",
            message: "stands twice",
            help: "once",
        },
        Broken {
            piece: INVITATION,
            replacement: "name = \"invitation\"\ndays_before = 120\ntemplate = \"../../etc/passwd\"",
            at: "\"../../etc/passwd\"",
            message: "`template` is a name, not a path",
            help: "template = \"invitation\"",
        },
        Broken {
            piece: INVITATION,
            replacement: "name = \"invitation\"\ndays_before = 99999999",
            at: "99999999",
            message: "outside 0 to 3660",
            help: "from 0 to 3660",
        },
    ]);
}

#[test]
fn a_campaign_without_stages_is_refused() {
    let stages = "\n[[campaign.stages]]\nname = \"invitation\"\ndays_before = 120\n\n[[campaign.stages]]\nname = \"final\"\ndays_before = 60\nfinal = true\n";
    assert_each_is_reported(&[Broken {
        piece: stages,
        replacement: "",
        at: "[campaign]",
        message: "[campaign] has no stages",
        help: "write `[[campaign.stages]]`",
    }]);
}

#[test]
fn stages_stand_in_the_order_of_their_days_with_their_defaults() {
    let text = with(
        INVITATION,
        "name = \"after\"\ndays_after = 1\nchannels = [\"webhook:product\", \"file\"]",
    )
    .replace("min_prompts = 2", "min_prompts = 1");
    let stages = parse(&text).unwrap().campaign.stages;
    let days: Vec<StageDay> = stages.iter().map(|stage| stage.day).collect();
    assert_eq!(days, [StageDay::Before(60), StageDay::After(1)]);
    assert_eq!((stages[0].template.as_str(), stages[0].is_final), ("final", true));
    assert_eq!(stages[0].channels, [Channel::Email]);
    assert_eq!(stages[1].channels, [Channel::Webhook("product".to_owned()), Channel::File]);
}
