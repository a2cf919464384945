//! Rows that cannot be used, one for each reason that a host is likely to meet.

use super::book::{Book, Proof};
use super::consents::Consent;
use super::customers::customer_with;
use super::record::{Line, Record};

pub fn tell(book: &mut Book) -> anyhow::Result<()> {
    let spoilt: [fn(&mut Record); 6] = [
        // A broken UUID: a spreadsheet has eaten the end.
        |row| row.tenant_id.truncate(30),
        |row| row.tenant_id.clear(),
        |row| row.connection_id.clone_from(&row.tenant_id),
        |row| row.flow = "implicit".into(),
        // A broken token: the column was too short for it.
        |row| row.access_token = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwcz".into(),
        |row| row.required_scopes = "accounting.transactions accounting.settings".into(),
    ];
    for spoil in spoilt {
        let (grant, tenant) = customer_with(book, Consent::Broad);
        let mut row = book.row(&grant, &tenant, Proof::DatedText)?;
        spoil(&mut row);
        book.lines.push(Line::Bad(row));
    }

    // One connection, two tenants' names and scopes: neither row can be believed.
    let (grant, tenant) = customer_with(book, Consent::Broad);
    let row = book.row(&grant, &tenant, Proof::DatedText)?;
    let mut other = row.clone();
    other.tenant_name = "Copper Kettle Holdings Ltd".into();
    other.scopes =
        "offline_access accounting.invoices accounting.settings accounting.contacts".into();
    book.lines.extend([Line::Bad(row), Line::Bad(other)]);

    // An export that was interrupted and taken up again on the next line.
    let (grant, tenant) = customer_with(book, Consent::Broad);
    let row = book.row(&grant, &tenant, Proof::Text)?;
    let id: String = row.connection_id.chars().take(13).collect();
    book.lines.push(Line::CutOff(vec![row.tenant_id, id]));
    Ok(())
}
