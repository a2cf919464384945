//! Where a run works: the real database, or a private copy of it for a dry run; and how it
//! reaches the inventory from there.

use std::ffi::OsString;
use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::SecretString;

use crate::clock::Clock;
use crate::config::{self, Config, DatabaseUrl, Migrate};
use crate::domain::audit::Head;
use crate::domain::ids::TenantId;
use crate::inventory::{Columns, Reader, Selection, Source};
use crate::store::home::{Home, Moved};
use crate::store::settings::Keys;
use crate::store::{self, Database, PrivateCopy, Store};

use crate::xero::connections::Connections;

use super::Failure;
use super::calling::{self, NoClient};
use super::messages::Tried;
use super::outside::{Asked, Outside};
use super::preflight::{self, Finding};
use super::weather;

/// The inventory of the embedded example, for where its file is not at hand.
const EXAMPLE: &[u8] = include_bytes!("../../examples/connections.csv");

/// An open database with what belongs to it.
pub struct Workplace {
    pub store: Store,
    pub keys: Keys,
    pub tried: Tried,
    database: Database,
    copy: Option<Copy>,
    outside: Option<Arc<dyn Outside>>,
}

/// What a dry run works on.
struct Copy {
    database: PrivateCopy,
    /// Where the record of the original ends.
    audit_head: Option<Head>,
}

/// Where the database is, by the configuration.
///
/// # Errors
/// It is of a kind that holds no state.
pub fn database(config: &Config) -> Result<Database, store::Error> {
    match &config.database.url {
        DatabaseUrl::Sqlite { path, .. } => Ok(Database::Sqlite(path.clone())),
        other => Database::parse(&other.expose()),
    }
}

impl Workplace {
    /// Opens, creates, migrates and binds the real database. `fresh` becomes its keys when
    /// it is new.
    ///
    /// # Errors
    /// It cannot be used, or serves another app.
    pub async fn real(config: &Config, fresh: &Keys) -> Result<Self, store::Error> {
        let database = database(config)?;
        let store = match config.database.migrate {
            Migrate::Auto => {
                let store = database.open().await?;
                store.migrate().await?;
                store
            }
            Migrate::Manual => database.open_existing().await?,
        };
        let keys = store.bind(&config.app.client_id, fresh).await?;
        store.require_open().await?;
        if let Some(home) = database.home().await? {
            store.bind_home(&home).await?;
        }
        Ok(Self { store, keys, tried: Tried::default(), database, copy: None, outside: None })
    }

    /// Makes a private copy; the original is only read.
    ///
    /// # Errors
    /// The original cannot be read, has another schema, or serves another app.
    pub async fn copy(config: &Config, fresh: &Keys) -> Result<Self, store::Error> {
        let database = database(config)?;
        let copy = PrivateCopy::of(&database).await?;
        let store = copy.store.clone();
        store.require_open().await?;
        let audit_head = store.audit_head().await?;
        let keys = store.bind(&config.app.client_id, fresh).await?;
        let copy = Some(Copy { database: copy, audit_head });
        Ok(Self { store, keys, tried: Tried::default(), database, copy, outside: None })
    }

    /// The same within another world than the real one.
    #[must_use]
    pub fn within(self, outside: Arc<dyn Outside>) -> Self {
        Self { outside: Some(outside), ..self }
    }

    /// What stands in for the real world, if anything does.
    #[must_use]
    pub fn outside(&self) -> Option<&Arc<dyn Outside>> {
        self.outside.as_ref()
    }

    /// Xero's connections of the app.
    ///
    /// # Errors
    /// The app has no client credentials, or nothing can be called over HTTPS.
    pub fn xero<'a>(
        &'a self,
        config: &'a Config,
        clock: &'a dyn Clock,
        env: &'a (dyn Fn(&str) -> Option<OsString> + Sync),
    ) -> Result<Box<dyn Connections + 'a>, NoClient> {
        match &self.outside {
            Some(outside) => {
                let pace = Box::new(calling::pace(config, &self.store, clock));
                Ok(outside.connections(pace, clock))
            }
            None => Ok(Box::new(calling::client(config, &self.store, clock, env)?)),
        }
    }

    /// Whoever is asked whether links will work.
    ///
    /// # Errors
    /// The roots of trust cannot be read.
    pub fn asked(&self, config: &Config) -> Result<Asked, Finding> {
        match &self.outside {
            Some(outside) => Ok(Asked::Outside(Arc::clone(outside))),
            None => Ok(Asked::Web(preflight::client(config.xero.roots.as_deref())?)),
        }
    }

    /// How far the database's clock is ahead; of a world with a time of its own, not at all.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn ahead(&self, clock: &dyn Clock) -> Result<TimeDelta, store::Error> {
        match &self.outside {
            Some(_) => Ok(TimeDelta::zero()),
            None => weather::ahead(&self.store, clock).await,
        }
    }

    /// Where the record ends: of a private copy, the original's.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn audit_head(&self) -> Result<Option<Head>, store::Error> {
        match &self.copy {
            Some(copy) => Ok(copy.audit_head),
            None => self.store.audit_head().await,
        }
    }

    /// For looking around: the database as it is, and where there is none, an empty private
    /// one. The keys are `fresh` where it has none.
    ///
    /// # Errors
    /// It cannot be used, or serves another app.
    pub async fn as_it_is(config: &Config, fresh: &Keys) -> Result<Self, store::Error> {
        let database = database(config)?;
        if database.is_missing() {
            return Self::copy(config, fresh).await;
        }
        let store = database.open_existing().await?;
        let keys = store.bound_keys(&config.app.client_id).await?;
        let keys = keys.unwrap_or_else(|| fresh.clone());
        Ok(Self { store, keys, tried: Tried::default(), database, copy: None, outside: None })
    }

    /// Whether it is a private copy.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.copy.is_some()
    }

    /// Where the database is: of a private copy, the original.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn home(&self) -> Result<Option<Home>, store::Error> {
        self.database.home().await
    }

    /// Whether the database is a copy, an older one, or a new one where there was another: it
    /// then has no effects until a named person says that it is the right one.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn home_moved(&self) -> Result<Option<Moved>, store::Error> {
        // A copy is a simulation's purpose.
        if self.outside.is_some() {
            return Ok(None);
        }
        match self.home().await? {
            Some(home) => self.store.home_moved(&home).await,
            None => Ok(None),
        }
    }

    /// Opens the inventory.
    ///
    /// # Errors
    /// It is not there, cannot be read, or its secret or a column is missing.
    pub async fn inventory(
        &self,
        config: &Config,
        is_builtin: bool,
        env: &(dyn Fn(&str) -> Option<OsString> + Sync),
    ) -> Result<Reader, Failure> {
        self.open_inventory(config, is_builtin, env, Selection::All).await
    }

    /// Opens the inventory for a second look at all that it says about some tenants.
    ///
    /// # Errors
    /// As [`Workplace::inventory`].
    pub async fn second_look(
        &self,
        config: &Config,
        env: &(dyn Fn(&str) -> Option<OsString> + Sync),
        tenants: Vec<TenantId>,
    ) -> Result<Reader, Failure> {
        self.open_inventory(config, false, env, Selection::Tenants(tenants)).await
    }

    async fn open_inventory(
        &self,
        config: &Config,
        is_builtin: bool,
        env: &(dyn Fn(&str) -> Option<OsString> + Sync),
        selection: Selection,
    ) -> Result<Reader, Failure> {
        let columns = Columns::new(
            config.inventory.columns.iter().map(|(ours, theirs)| (*ours, theirs.as_str())),
        )?;
        if let Some(outside) = &self.outside {
            return Ok(Reader::open(outside.inventory(&selection), columns).await?);
        }
        let source = match &config.inventory.source {
            config::Source::Csv { path } if is_builtin && !path.exists() => {
                Source::CsvBytes(EXAMPLE)
            }
            config::Source::Csv { path } => Source::Csv { path: path.clone() },
            config::Source::Jsonl { path } => Source::Jsonl { path: path.clone() },
            config::Source::Sql { url, query } => Source::Sql {
                url: SecretString::from(url.resolve(&|name| env(name))?.expose()),
                query: query.clone(),
                selection,
            },
            config::Source::Table => Source::Sql {
                url: self.own_url(config),
                query: "SELECT * FROM inventory".to_owned(),
                selection,
            },
        };
        Ok(Reader::open(source, columns).await?)
    }

    /// The worker's own database, as the host's inventory: of SQLite the private copy, since
    /// even reading the original would touch the index of its write-ahead log.
    fn own_url(&self, config: &Config) -> SecretString {
        let url = match (&self.database, &self.copy) {
            (Database::Sqlite(_), Some(copy)) => {
                DatabaseUrl::Sqlite { path: copy.database.path.clone(), options: None }.expose()
            }
            _ => config.database.url.expose(),
        };
        SecretString::from(url)
    }

    pub async fn close(self) {
        self.store.close().await;
    }
}
