//! Clients of a host that may end at any moment: what they asked for, and what they were told. They
//! go on until nobody answers.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use kv::store_proto::get_response::Part;
use kv::store_proto::store_client::StoreClient;
use kv::store_proto::{DeleteRequest, GetRequest, WriteRequest};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::random::Random;
use crate::support::parts::{announcement, chunk, commit};
use crate::support::serving::client;

const CLIENTS: u64 = 6;
const KEYS: u64 = 20;

/// Values are short enough to be one piece, and long enough that records of several calls do not
/// fit into a page.
const LONGEST: u64 = 300;

/// What is done to a key. Every value is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Put(Vec<u8>),
    Swap(u64, Vec<u8>),
    Delete,
    Get,
}

/// What the client knows of it afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is stored under this version.
    Stored(u64),
    /// It is gone; whether there was anything.
    Taken(bool),
    Found(u64, Vec<u8>),
    Missing,
    /// The key had another version: nothing was changed.
    Aborted,
    /// It could not be recorded: nothing was made.
    NotMade,
    /// Nothing that could be relied on.
    Nothing,
}

/// One call of a client.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) key: String,
    pub(crate) ask: Ask,
    pub(crate) told: Told,
    pub(crate) begun: Instant,
    /// When the client was told. What it was told nothing about can have happened until everybody
    /// was dead.
    pub(crate) ended: Instant,
}

impl Attempt {
    /// The value that it would store.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        match &self.ask {
            Ask::Put(value) | Ask::Swap(_, value) => Some(value),
            Ask::Delete | Ask::Get => None,
        }
    }

    /// The messages of the call.
    pub(crate) fn parts(&self) -> Option<[WriteRequest; 3]> {
        let expected = match self.ask {
            Ask::Swap(expected, _) => Some(expected),
            _ => None,
        };
        self.value().map(|value| [announcement(&self.key, value.len(), expected), chunk(value), commit()])
    }
}

/// The last version of each key that anybody heard of.
type Versions = Arc<Mutex<Vec<u64>>>;

/// Clients that are at work.
pub(crate) struct Clients {
    tasks: JoinSet<Vec<Attempt>>,
}

impl Clients {
    /// `name` is part of all that they store, and no other clients have it.
    pub(crate) async fn start(socket: &Path, name: &str, random: &mut Random) -> Self {
        let (mut tasks, versions) = (JoinSet::new(), Versions::new(Mutex::new(vec![0; KEYS as usize])));
        for number in 0..CLIENTS {
            let client = client(socket).await;
            let name = format!("{name}-{number}");
            tasks.spawn(work(client, name, random.fork(), Arc::clone(&versions)));
        }
        Self { tasks }
    }

    /// What they did, when they have found that nobody answers any more.
    pub(crate) async fn finish(self) -> Vec<Attempt> {
        self.tasks.join_all().await.into_iter().flatten().collect()
    }
}

/// Asks for each key once.
pub(crate) async fn get_all(socket: &Path) -> Vec<Attempt> {
    let (mut client, mut attempts) = (client(socket).await, Vec::new());
    for number in 0..KEYS as usize {
        attempts.push(attempt(&mut client, number, Ask::Get).await.0);
    }
    attempts
}

async fn work(mut client: StoreClient<Channel>, name: String, mut random: Random, versions: Versions) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    loop {
        let number = random.below(KEYS) as usize;
        let ask = choose(&mut random, &format!("{name}-{}:", attempts.len()), versions.lock().unwrap()[number]);
        let (attempt, goes_on) = attempt(&mut client, number, ask).await;
        if let Told::Stored(version) | Told::Found(version, _) = attempt.told {
            let known = &mut versions.lock().unwrap()[number];
            *known = version.max(*known);
        }
        attempts.push(attempt);
        if !goes_on {
            return attempts;
        }
    }
}

/// Makes a call. Returns also whether there may be somebody to ask still.
async fn attempt(client: &mut StoreClient<Channel>, number: usize, ask: Ask) -> (Attempt, bool) {
    let begun = Instant::now();
    let mut attempt = Attempt { key: format!("key-{number}"), ask, told: Told::Nothing, begun, ended: begun };
    let told = call(client, &attempt).await;
    attempt.ended = Instant::now();
    let goes_on;
    (attempt.told, goes_on) = told.map_or_else(|status| understood(&status), |told| (told, true));
    (attempt, goes_on)
}

fn choose(random: &mut Random, name: &str, version: u64) -> Ask {
    let value = |random: &mut Random| {
        let length = random.below(LONGEST) as usize;
        name.bytes().chain(std::iter::repeat_n(b'.', length)).collect()
    };
    match random.below(10) {
        0..4 => Ask::Put(value(random)),
        4..7 => Ask::Swap(version, value(random)),
        7 => Ask::Delete,
        _ => Ask::Get,
    }
}

async fn call(client: &mut StoreClient<Channel>, attempt: &Attempt) -> Result<Told, Status> {
    let key = attempt.key.clone();
    let parts = tokio_stream::iter(attempt.parts().into_iter().flatten());
    match attempt.ask {
        Ask::Put(_) => Ok(Told::Stored(client.put(parts).await?.into_inner().version)),
        Ask::Swap(..) => Ok(Told::Stored(client.compare_and_swap(parts).await?.into_inner().version)),
        Ask::Delete => Ok(Told::Taken(client.delete(DeleteRequest { key }).await?.into_inner().existed)),
        Ask::Get => {
            let mut parts = client.get(GetRequest { key }).await?.into_inner();
            let (mut version, mut value) = (0, Vec::new());
            while let Some(message) = parts.message().await? {
                match message.part {
                    Some(Part::Found(found)) => version = found.version,
                    Some(Part::Chunk(chunk)) => value.extend_from_slice(&chunk),
                    None => return Err(Status::internal("an empty message")),
                }
            }
            Ok(Told::Found(version, value))
        }
    }
}

/// What an error says, and whether there may be somebody to ask still.
fn understood(status: &Status) -> (Told, bool) {
    match status.code() {
        Code::Aborted => (Told::Aborted, true),
        Code::NotFound => (Told::Missing, true),
        Code::Unavailable if status.message().contains("was not made") => (Told::NotMade, true),
        Code::Unknown => (Told::Nothing, status.message().contains("could not be recorded")),
        _ => (Told::Nothing, false),
    }
}
