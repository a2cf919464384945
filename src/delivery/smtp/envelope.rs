//! From whom and to whom, in the words of the protocol: exactly one recipient, and what the
//! server has to be able to for it.

use lettre::Address as Mailbox;
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter, ServerInfo};

use crate::delivery::outcome::Outcome;
use crate::domain::address::Address;

pub(super) struct Envelope<'a> {
    /// Whose addresses these are.
    pub sender: &'a Address,
    pub recipient: &'a Address,
    pub from: Mailbox,
    pub to: Mailbox,
    /// Without the last line end, which the end of the message brings along.
    pub message: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// # Errors
    /// [`Outcome::Refused`]: no server would be given this.
    pub fn new(
        sender: &'a Address,
        recipient: &'a Address,
        message: &'a [u8],
    ) -> Result<Self, Outcome> {
        let from = mailbox(sender)
            .ok_or_else(|| Outcome::down("the sender's address cannot stand in an envelope"))?;
        let to = mailbox(recipient)
            .ok_or_else(|| Outcome::refused("the address cannot stand in an envelope"))?;
        if !has_whole_lines(message) {
            // Some servers take such a line end for one, and a dot behind it for the end of
            // the message: what follows would be commands.
            return Err(Outcome::refused("the message has a bare carriage return or line feed"));
        }
        let message = message.strip_suffix(b"\r\n").unwrap_or(message);
        Ok(Self { sender, recipient, from, to, message })
    }

    /// The parameters of MAIL for a server.
    ///
    /// # Errors
    /// [`Outcome::Refused`] when the server lacks what this message needs.
    pub fn parameters(&self, server: &ServerInfo) -> Result<Vec<MailParameter>, Outcome> {
        let mut parameters = Vec::new();
        let ascii = |address: &Mailbox| AsRef::<str>::as_ref(address).is_ascii();
        let addresses = ascii(&self.from) && ascii(&self.to);
        if !addresses || has_unicode_header(self.message) {
            if !server.supports_feature(Extension::SmtpUtfEight) {
                return Err(Outcome::refused(
                    "an address is not ASCII before its @, and the mail server takes no such \
                     addresses (SMTPUTF8)",
                ));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !self.message.is_ascii() {
            if !server.supports_feature(Extension::EightBitMime) {
                return Err(Outcome::refused(
                    "the message is not ASCII, and the mail server takes ASCII only (8BITMIME)",
                ));
            }
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }
}

/// As the protocol writes it; nothing that is no address gets into a command.
fn mailbox(address: &Address) -> Option<Mailbox> {
    let address = address.with_ascii_domain();
    if address.contains(char::is_control) {
        return None;
    }
    address.parse().ok()
}

/// Whether a header is not ASCII, which takes the same extension as an address
/// (RFC 6531, section 3.2).
fn has_unicode_header(message: &[u8]) -> bool {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(message.len());
    !message[..end].is_ascii()
}

fn has_whole_lines(message: &[u8]) -> bool {
    let mut before = 0;
    for &byte in message {
        if (before == b'\r') != (byte == b'\n') {
            return false;
        }
        before = byte;
    }
    before != b'\r'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn a_domain_goes_out_in_ascii_and_a_local_part_as_it_is_written() {
        let to = mailbox(&address("Jo.Smith@bücher.example")).unwrap();
        assert_eq!(to.to_string(), "Jo.Smith@xn--bcher-kva.example");
        assert_eq!(mailbox(&address("jö@b.example")).unwrap().to_string(), "jö@b.example");
    }

    #[test]
    fn only_whole_lines_go_out() {
        for good in ["", "a", "a\r\nb\r\n", "\r\n\r\n"] {
            assert!(has_whole_lines(good.as_bytes()), "{good:?}");
        }
        for bad in ["\n", "a\nb", "a\rb", "a\r", "a\r\n.\nMAIL", "\r\r\n", "\n\r"] {
            assert!(!has_whole_lines(bad.as_bytes()), "{bad:?}");
        }
    }
}
