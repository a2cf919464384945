//! A report on a message that a mail server sends back (RFC 3464).

use chrono::DateTime;
use mail_parser::{Message, MessageParser, MimeHeaders, PartType};

use super::claim::{About, Bounce, Claim, Says, named};
use crate::store::outcomes::Named;

/// Reads a message from a bounce mailbox; `None` when it is no report on a message that could
/// be ours.
pub(super) fn read(bytes: &[u8]) -> Option<Claim> {
    let message = MessageParser::default().parse(bytes)?;
    let report = message
        .parts
        .iter()
        .find(|part| part.is_content_type("message", "delivery-status"))
        .map(|part| String::from_utf8_lossy(part.contents()).into_owned())?;
    let says = says(&report)?;
    let about = original(&message, &report)?;
    let at = message.date().and_then(|date| DateTime::from_timestamp(date.to_timestamp(), 0));
    Some(Claim { about, says, at })
}

/// The field of that name, in whichever block.
fn field<'a>(report: &'a str, name: &str) -> Option<&'a str> {
    report.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Our messages have one recipient each, so that there is one block to look at.
fn says(report: &str) -> Option<Says> {
    let action = field(report, "Action")?.to_ascii_lowercase();
    let is_for_good = field(report, "Status").is_some_and(|status| status.starts_with('5'));
    Some(match action.split_whitespace().next()? {
        "failed" if is_for_good => Says::Bounced(Bounce::Hard),
        "failed" => Says::Bounced(Bounce::GivenUp),
        "delayed" => Says::Bounced(Bounce::Soft),
        "delivered" => Says::Delivered,
        // Passed on to somewhere that sends no reports: nothing is known.
        _ => return None,
    })
}

/// Which message it is about: by the Message-ID of what came back with it, else by what was
/// given along as its envelope's id.
fn original(message: &Message<'_>, report: &str) -> Option<About> {
    let returned = message.parts.iter().find_map(|part| match &part.body {
        PartType::Message(inner) => inner.message_id().map(str::to_owned),
        PartType::Text(_) | PartType::Binary(_) | PartType::InlineBinary(_)
            if part.is_content_type("text", "rfc822-headers") =>
        {
            let headers = MessageParser::default().parse(part.contents())?;
            headers.message_id().map(str::to_owned)
        }
        _ => None,
    });
    let envelope = field(report, "Original-Envelope-Id").map(str::to_owned);
    let replied = message.in_reply_to().as_text().map(str::to_owned);
    [returned, envelope, replied].into_iter().flatten().find_map(|id| match named(&id) {
        // A mail server's other mail bounces here too.
        Named::Digits(digits) => Some(About::Prompt(Named::Digits(digits))),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: &str = "1a2b3c4d-5e6f-5a7b-8c9d-0e1f2a3b4c5d";

    fn report(action: &str, status: &str, returned: &str) -> String {
        format!(
            "From: MAILER-DAEMON@mx.example\r\nTo: support@books.example\r\n\
             Date: Mon, 7 Dec 2026 10:00:00 +1300\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; mx.example\r\n\r\n\
             Final-Recipient: rfc822; jo@example.com\r\nAction: {action}\r\nStatus: {status}\r\n\
             Diagnostic-Code: smtp; 550 no such user\r\n\r\n{returned}--b--\r\n"
        )
    }

    fn whole() -> String {
        format!(
            "--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{PROMPT}@books.example>\r\n\
             Subject: Hello\r\n\r\nBody\r\n"
        )
    }

    fn headers() -> String {
        format!(
            "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: Hello\r\n\
             Message-ID: <{PROMPT}@books.example>\r\n\r\n"
        )
    }

    #[test]
    fn the_action_and_the_status_tell_how_final_it_is() {
        for (action, status, says) in [
            ("failed", "5.1.1", Says::Bounced(Bounce::Hard)),
            ("Failed", "4.4.7", Says::Bounced(Bounce::GivenUp)),
            ("delayed", "4.4.1", Says::Bounced(Bounce::Soft)),
            ("delivered", "2.0.0", Says::Delivered),
        ] {
            let claim = read(report(action, status, &whole()).as_bytes()).unwrap();
            assert_eq!(claim.says, says, "{action} {status}");
            assert_eq!(claim.at.unwrap().to_rfc3339(), "2026-12-06T21:00:00+00:00");
            let digits = PROMPT.replace('-', "");
            assert_eq!(claim.about, About::Prompt(Named::Digits(digits)));
        }
    }

    #[test]
    fn the_headers_alone_are_enough_to_know_the_message() {
        let claim = read(report("failed", "5.1.1", &headers()).as_bytes()).unwrap();
        assert!(matches!(claim.about, About::Prompt(Named::Digits(_))));
        let envelope = report("failed", "5.1.1", "")
            .replace("Reporting-MTA", &format!("Original-Envelope-Id: {PROMPT}\r\nReporting-MTA"));
        assert!(read(envelope.as_bytes()).is_some());
    }

    #[test]
    fn what_is_no_report_on_our_mail_is_none() {
        for other in [
            "",
            "Subject: out of office\r\n\r\nBack on Monday.",
            "\u{0}\u{1}\u{2}",
            &report("failed", "5.1.1", ""),
            &report("relayed", "2.0.0", &whole()),
            &report("failed", "5.1.1", &whole().replace(PROMPT, "somebody-elses")),
        ] {
            assert_eq!(read(other.as_bytes()), None, "{other}");
        }
    }
}
