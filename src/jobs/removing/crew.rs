//! Those who do what takes time: ask Xero, and look again at what comes next. All of it goes on
//! at once, and whoever waits holds up nobody.

use std::future::Future;
use std::pin::Pin;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::ids::ConnectionId;
use crate::jobs::Failure;
use crate::store::removals::{Leased, Wanted};
use crate::xero::connections::Deletion;
use crate::xero::error::Decision;

use super::act::Removing;
use super::fill::Filled;
use super::list::XeroList;
use super::verdict::Answered;

/// Something to do.
pub(super) enum Order {
    /// Ask Xero to remove a connection. The intent is written down.
    Fly { removal: Uuid, id: ConnectionId },
    /// Take these in hand, and look at them and at those that are in hand already.
    Fill { works: Vec<Wanted>, again: Vec<(Leased, u32)>, used: u64 },
}

/// What came of it.
pub(super) enum News {
    Flown(Uuid, Box<Answered>),
    Filled(Box<Result<Filled, Failure>>),
}

pub(super) struct Crew<'r, 'a> {
    pub removing: &'r Removing<'a>,
    pub news: mpsc::UnboundedSender<News>,
    /// Nothing more is begun.
    pub halt: &'r CancellationToken,
}

type Task<'t> = Pin<Box<dyn Future<Output = News> + Send + 't>>;

impl Crew<'_, '_> {
    /// Works until there are no more orders, and all is done.
    pub(super) async fn work(self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut tasks: FuturesUnordered<Task<'_>> = FuturesUnordered::new();
        let mut is_over = false;
        while !is_over || !tasks.is_empty() {
            tokio::select! {
                biased;
                Some(news) = tasks.next(), if !tasks.is_empty() => {
                    // Nobody hears it where the other half has failed: the list tells later.
                    drop(self.news.send(news));
                }
                order = orders.recv(), if !is_over => match order {
                    Some(Order::Fly { removal, id }) => {
                        tasks.push(Box::pin(self.fly(removal, id)));
                    }
                    Some(Order::Fill { works, again, used }) => tasks.push(Box::pin(async move {
                        let filled = self.removing.fill(works, again, used, self.halt).await;
                        News::Filled(Box::new(filled))
                    })),
                    None => is_over = true,
                },
            }
        }
    }

    async fn fly(&self, removal: Uuid, id: ConnectionId) -> News {
        let looker = &self.removing.looker;
        let answer = looker.xero.delete(id).await;
        let asks_the_list = match &answer {
            Ok(deleted) => deleted.deletion == Deletion::NotOurs,
            Err(error) => error.decision() == Decision::ReadBack,
        };
        let list = match asks_the_list {
            true => Some(XeroList::read(looker.xero, looker.clock).await),
            false => None,
        };
        News::Flown(removal, Box::new(Answered { answer, list }))
    }
}
