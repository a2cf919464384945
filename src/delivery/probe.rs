//! Whether the address that links lead to answers at all: a link that is dead when it is sent
//! costs a stage, and a customer's patience.

use reqwest::{Client, StatusCode};

use crate::web;

/// A token that opens nothing.
const NO_TOKEN: &str = "probe";

/// Asks for the address as a browser with a worthless link would. `filled` puts a token into
/// it.
///
/// # Errors
/// Why a customer would not get through, without the address.
pub async fn answers(client: &Client, filled: impl FnOnce(&str) -> String) -> Result<(), String> {
    match client.get(filled(NO_TOKEN)).send().await {
        Ok(answer) => judge(answer.status()),
        Err(error) => Err(web::trouble(error)),
    }
}

/// A page that turns a worthless token away is one that is there; what is not found or out of
/// order is not.
fn judge(status: StatusCode) -> Result<(), String> {
    let is_turned_away = matches!(status.as_u16(), 400 | 401 | 403 | 410 | 422);
    if status.is_success() || status.is_redirection() || is_turned_away {
        Ok(())
    } else {
        Err(format!("status {}", status.as_u16()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_refuses_the_token_is_there_and_one_that_is_missing_is_not() {
        for (status, there) in [
            (200, true),
            (204, true),
            (302, true),
            (400, true),
            (401, true),
            (403, true),
            (404, false),
            (405, false),
            (410, true),
            (422, true),
            (429, false),
            (500, false),
            (503, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(judge(status).is_ok(), there, "{status}");
        }
    }
}
