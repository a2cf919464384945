//! x
use std::io::{self, Write};
use crate::domain::campaign::Campaign;
use super::document::Document;
pub fn write(_: &Document, _: &Campaign, _: &mut dyn Write) -> io::Result<()> { Ok(()) }
