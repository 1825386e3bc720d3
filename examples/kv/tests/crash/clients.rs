//! Clients of a host that may be killed at any moment. They record each call and its response, and
//! continue until the host no longer answers.

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
use crate::support::serving::client;
use crate::support::serving::{announcement, chunk, commit};

const CLIENTS: u64 = 6;
const KEYS: u64 = 20;

/// The longest padding of a value in bytes: a value fits into one chunk, and the records of several
/// calls exceed a page.
const LONGEST: u64 = 300;

/// An operation on a key. Every value is unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Put(Vec<u8>),
    Swap(u64, Vec<u8>),
    Delete,
    Get,
}

/// What the client learned from a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Response {
    /// The value was stored with this version.
    Stored(u64),
    /// The value was deleted, if there was one.
    Deleted(bool),
    Found(u64, Vec<u8>),
    Missing,
    /// The key had another version. Nothing changed.
    Aborted,
    /// The call could not be recorded and was not made.
    Unrecordable,
    /// The outcome is unknown.
    Unknown,
}

/// One call of a client.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) key: String,
    pub(crate) operation: Operation,
    pub(crate) response: Response,
    pub(crate) begun: Instant,
    /// When the client got the response. A call without a response may take effect until all
    /// processes are dead.
    pub(crate) ended: Instant,
}

impl Attempt {
    /// The value to store.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        match &self.operation {
            Operation::Put(value) | Operation::Swap(_, value) => Some(value),
            Operation::Delete | Operation::Get => None,
        }
    }

    /// The messages of the call.
    pub(crate) fn parts(&self) -> Option<[WriteRequest; 3]> {
        let expected = match self.operation {
            Operation::Swap(expected, _) => Some(expected),
            _ => None,
        };
        self.value().map(|value| [announcement(&self.key, value.len(), expected), chunk(value), commit()])
    }
}

/// The last known version of each key.
type Versions = Arc<Mutex<Vec<u64>>>;

/// Running clients.
pub(crate) struct Clients {
    tasks: JoinSet<Vec<Attempt>>,
}

impl Clients {
    /// `name` must be unique: it makes the stored values unique.
    pub(crate) async fn start(socket: &Path, name: &str, random: &mut Random) -> Self {
        let (mut tasks, versions) = (JoinSet::new(), Versions::new(Mutex::new(vec![0; KEYS as usize])));
        for number in 0..CLIENTS {
            let client = client(socket).await;
            let name = format!("{name}-{number}");
            tasks.spawn(work(client, name, random.fork(), Arc::clone(&versions)));
        }
        Self { tasks }
    }

    /// Waits until the clients have noticed the end of the host. Returns their calls.
    pub(crate) async fn finish(self) -> Vec<Attempt> {
        self.tasks.join_all().await.into_iter().flatten().collect()
    }
}

/// Gets each key once.
pub(crate) async fn get_all(socket: &Path) -> Vec<Attempt> {
    let (mut client, mut attempts) = (client(socket).await, Vec::new());
    for number in 0..KEYS as usize {
        attempts.push(attempt(&mut client, number, Operation::Get).await.0);
    }
    attempts
}

async fn work(mut client: StoreClient<Channel>, name: String, mut random: Random, versions: Versions) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    loop {
        let number = random.below(KEYS) as usize;
        let operation = choose(&mut random, &format!("{name}-{}:", attempts.len()), versions.lock().unwrap()[number]);
        let (attempt, is_alive) = attempt(&mut client, number, operation).await;
        if let Response::Stored(version) | Response::Found(version, _) = attempt.response {
            let known = &mut versions.lock().unwrap()[number];
            *known = version.max(*known);
        }
        attempts.push(attempt);
        if !is_alive {
            return attempts;
        }
    }
}

/// Makes a call. Also returns whether the host may still be alive.
async fn attempt(client: &mut StoreClient<Channel>, number: usize, operation: Operation) -> (Attempt, bool) {
    let begun = Instant::now();
    let mut attempt =
        Attempt { key: format!("key-{number}"), operation, response: Response::Unknown, begun, ended: begun };
    let result = call(client, &attempt).await;
    attempt.ended = Instant::now();
    let is_alive;
    (attempt.response, is_alive) = result.map_or_else(|status| interpret(&status), |response| (response, true));
    (attempt, is_alive)
}

fn choose(random: &mut Random, name: &str, version: u64) -> Operation {
    let value = |random: &mut Random| {
        let length = random.below(LONGEST) as usize;
        name.bytes().chain(std::iter::repeat_n(b'.', length)).collect()
    };
    match random.below(10) {
        0..4 => Operation::Put(value(random)),
        4..7 => Operation::Swap(version, value(random)),
        7 => Operation::Delete,
        _ => Operation::Get,
    }
}

async fn call(client: &mut StoreClient<Channel>, attempt: &Attempt) -> Result<Response, Status> {
    let key = attempt.key.clone();
    let parts = tokio_stream::iter(attempt.parts().into_iter().flatten());
    match attempt.operation {
        Operation::Put(_) => Ok(Response::Stored(client.put(parts).await?.into_inner().version)),
        Operation::Swap(..) => Ok(Response::Stored(client.compare_and_swap(parts).await?.into_inner().version)),
        Operation::Delete => Ok(Response::Deleted(client.delete(DeleteRequest { key }).await?.into_inner().existed)),
        Operation::Get => {
            let mut parts = client.get(GetRequest { key }).await?.into_inner();
            let (mut version, mut value) = (0, Vec::new());
            while let Some(message) = parts.message().await? {
                match message.part {
                    Some(Part::Found(found)) => version = found.version,
                    Some(Part::Chunk(chunk)) => value.extend_from_slice(&chunk),
                    None => return Err(Status::internal("an empty message")),
                }
            }
            Ok(Response::Found(version, value))
        }
    }
}

/// The response that an error stands for, and whether the host may still be alive.
fn interpret(status: &Status) -> (Response, bool) {
    match status.code() {
        Code::Aborted => (Response::Aborted, true),
        Code::NotFound => (Response::Missing, true),
        Code::Unavailable if status.message().contains("was not made") => (Response::Unrecordable, true),
        Code::Unknown => (Response::Unknown, status.message().contains("could not be recorded")),
        _ => (Response::Unknown, false),
    }
}
