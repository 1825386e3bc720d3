//! The knowledge of the caller, the plugin and the recorder at each moment of a call.

pub(super) mod scripted;
mod spans;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;

use self::scripted::{Bench, Flood, encoded, framed, keyed_hash, read, stream, unary};
use crate::MESSAGE_LIMIT;
use crate::event::{Event, LimitReached, MessageTally};
use crate::host::Arguments;

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), work).await.expect("this hangs") })
}

fn get(key: &str) -> Request<String> {
    Request::new(key.to_owned())
}

fn tally(messages: &[&str]) -> MessageTally {
    let all: Vec<u8> = messages.iter().flat_map(|text| encoded(text)).collect();
    MessageTally { messages: messages.len() as u64, bytes: all.len() as u64, hash: Some(keyed_hash(&all)) }
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::kind).collect()
}

#[test]
fn unary_call_is_recorded_before_each_effect() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    says.messages(&["value"]).ok();
    let answer = run(unary(&mut bench.client(&plugin), get("key")));
    assert_eq!(answer.unwrap(), "value");
    assert_eq!(kinds(&bench.events()), ["call", "returned"], "there when the caller has the answer");
    assert_eq!(kinds(&plugin.known.lock().unwrap()), ["call"], "there when the plugin has the call");
    let (call, returned) = (bench.call(), bench.returned());
    assert_eq!((call.call, call.method.as_str()), (1, "/test.Kv/Get"));
    assert_eq!(call.request, tally(&["key"]));
    assert_eq!((returned.call, returned.method.as_str(), returned.outcome.as_str()), (1, "/test.Kv/Get", "OK"));
    assert_eq!((returned.request, returned.response), (call.request, tally(&["value"])));
}

/// Runs every task that can run.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn call_waits_until_its_record_is_durable() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    run(async {
        bench.log.hold();
        let mut client = bench.client(&plugin);
        let call = tokio::spawn(async move { unary(&mut client, get("key")).await });
        settle().await;
        assert!(plugin.asked.lock().unwrap().is_none(), "the plugin was called before the record");
        bench.log.release();
        settle().await;
        assert!(plugin.asked.lock().unwrap().is_some());
        bench.log.hold();
        says.messages(&["value"]).ok();
        settle().await;
        assert!(!call.is_finished(), "the caller has the response before the record");
        bench.log.release();
        assert_eq!(call.await.unwrap().unwrap(), "value");
    });
}

#[test]
fn stream_message_waits_until_its_record_is_durable() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    run(async {
        let mut answers = stream(&mut bench.client(&plugin)).await.unwrap();
        bench.log.hold();
        says.messages(&["one"]);
        let reading = tokio::spawn(async move { answers.message().await });
        settle().await;
        // Longer than the layer waits for messages to record together.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!reading.is_finished(), "the caller has the message before the record");
        bench.log.release();
        assert_eq!(reading.await.unwrap().unwrap().unwrap(), "one");
    });
}

#[test]
fn plugin_receives_the_request_unchanged() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    says.messages(&[""]).ok();
    run(async {
        unary(&mut bench.client(&plugin), get("a key")).await.unwrap();
        let mut request = plugin.asked.lock().unwrap().take().unwrap();
        assert_eq!(read(request.body_mut()).await, framed("a key"));
    });
}

#[test]
fn arguments_are_recorded_as_keyed_hashes() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    says.messages(&[""]).ok();
    let mut request = get("x");
    request.extensions_mut().insert(Arguments::new().with("key", "canary").unwrap());
    run(unary(&mut bench.client(&plugin), request)).unwrap();
    assert_eq!(bench.call().arguments, [("key".to_owned(), keyed_hash(b"canary"))].into());
}

#[test]
fn what_cannot_be_recorded_is_not_called() {
    let bench = Bench::new();
    let (plugin, _says) = bench.talking();
    bench.log.close();
    let status = run(unary(&mut bench.client(&plugin), get("key"))).unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().ends_with("and was not made: the log is closed"), "{status:?}");
    assert!(plugin.asked.lock().unwrap().is_none());
}

#[test]
fn unrecordable_response_is_not_delivered() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    let status = run(async {
        let mut client = bench.client(&plugin);
        let call = tokio::spawn(async move { unary(&mut client, get("key")).await });
        while plugin.asked.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        bench.log.close();
        says.messages(&["value"]).ok();
        call.await.unwrap().unwrap_err()
    });
    assert_eq!(status.code(), Code::Unknown);
    assert!(status.message().starts_with("the plugin answered, but the answer could not be recorded"), "{status:?}");
    assert_eq!(bench.kinds(), ["call"]);
}

#[test]
fn stream_message_is_recorded_before_delivery() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    run(async {
        let mut answers = stream(&mut bench.client(&plugin)).await.unwrap();
        says.messages(&["one"]);
        assert_eq!(answers.message().await.unwrap().unwrap(), "one");
        assert_eq!(bench.messages()[0].response, tally(&["one"]));
        says.messages(&["two", "three"]).messages(&["four"]);
        assert_eq!(answers.message().await.unwrap().unwrap(), "two");
        assert_eq!(bench.messages()[1].response, tally(&["two", "three", "four"]), "what is there together");
        assert_eq!(answers.message().await.unwrap().unwrap(), "three");
        assert_eq!(answers.message().await.unwrap().unwrap(), "four");
        says.messages(&["five"]).status(&Status::not_found("no more"));
        assert_eq!(answers.message().await.unwrap().unwrap(), "five");
        assert_eq!(kinds(&bench.events()), ["call", "messages", "messages", "returned"]);
        assert_eq!(answers.message().await.unwrap_err().code(), Code::NotFound);
    });
    let returned = bench.returned();
    assert_eq!(returned.outcome, "NOT_FOUND");
    assert_eq!(returned.response, tally(&["one", "two", "three", "four", "five"]));
}

#[test]
fn unrecordable_message_is_not_delivered() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    run(async {
        let mut answers = stream(&mut bench.client(&plugin)).await.unwrap();
        bench.log.close();
        says.messages(&["one"]);
        assert_eq!(answers.message().await.unwrap_err().code(), Code::Unknown);
        assert!(!says.is_heard());
    });
}

fn messages_recorded(bench: &Bench) -> u64 {
    bench.messages().iter().map(|messages| messages.response.messages).sum()
}

/// Waits until this number of messages has records.
async fn recorded(bench: &Bench, messages: u64) {
    while messages_recorded(bench) < messages {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn message_records_do_not_depend_on_chunking() {
    let body = [framed("one"), framed(""), framed("three")].concat();
    for cut in 1..body.len() {
        let bench = Bench::new();
        let (plugin, says) = bench.talking();
        let whole = if cut < framed("one").len() { 0 } else { 1 + usize::from(cut >= framed("one").len() + 5) };
        let heard = run(async {
            let mut answers = stream(&mut bench.client(&plugin)).await.unwrap();
            let rest = tokio::spawn({
                let (body, bench) = (body.clone(), Arc::clone(&bench));
                async move {
                    says.bytes(&body[..cut]);
                    recorded(&bench, whole as u64).await;
                    says.bytes(&body[cut..]);
                    recorded(&bench, 3).await;
                    says.ok();
                }
            });
            let mut heard = Vec::new();
            while let Some(message) = answers.message().await.unwrap() {
                heard.push(message);
                assert!(messages_recorded(&bench) >= heard.len() as u64, "cut at {cut}");
            }
            rest.await.unwrap();
            heard
        });
        assert_eq!(heard, ["one", "", "three"]);
        let expected = [&["one", "", "three"][..whole], &["one", "", "three"][whole..]];
        let expected = expected.iter().filter(|messages| !messages.is_empty()).map(|all| tally(all));
        let recorded = bench.messages().into_iter().map(|messages| messages.response);
        assert_eq!(recorded.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!(bench.returned().response, tally(&["one", "", "three"]), "cut at {cut}");
    }
}

/// The kinds of records for a single response whose end comes `late_by` later. The clock is paused
/// while any task is ready.
fn kinds_with_a_late_end(late_by: Duration) -> Vec<&'static str> {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let asked = plugin.clone();
        let late = tokio::spawn(async move {
            while asked.asked.lock().unwrap().is_none() {
                tokio::task::yield_now().await;
            }
            says.messages(&["value"]);
            tokio::time::sleep(late_by).await;
            says.ok();
        });
        assert_eq!(unary(&mut bench.client(&plugin), get("key")).await.unwrap(), "value");
        late.await.unwrap();
    });
    bench.kinds()
}

#[test]
fn late_end_of_unary_response_is_accepted() {
    assert_eq!(kinds_with_a_late_end(Duration::from_millis(1)), ["call", "returned"]);
    assert_eq!(kinds_with_a_late_end(Duration::from_millis(10)), ["call", "messages", "returned"]);
}

#[test]
fn a_call_that_nobody_waits_for_is_abandoned() {
    let bench = Bench::new();
    let plugin = bench.answering(None);
    run(async {
        let mut client = bench.client(&plugin);
        let call = tokio::spawn(async move { unary(&mut client, get("key")).await });
        while plugin.asked.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    });
    let returned = bench.returned();
    assert_eq!((returned.outcome.as_str(), returned.request), ("abandoned", tally(&["key"])));
    assert_eq!(returned.response, MessageTally::default());
}

#[test]
fn call_abandoned_during_recording_has_an_outcome() {
    let bench = Bench::new();
    let plugin = bench.answering(None);
    bench.log.hold();
    run(async {
        let mut client = bench.client(&plugin);
        tokio::select! {
            biased;
            _ = unary(&mut client, get("key")) => panic!("it was answered"),
            () = std::future::ready(()) => {}
        }
    });
    // The intent becomes durable only now, when nothing waits for it any longer.
    bench.log.release();
    assert_eq!(bench.kinds(), ["call", "returned"]);
    assert_eq!(bench.returned().outcome, "abandoned");
}

#[test]
fn unread_stream_is_abandoned_with_its_tally() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    run(async {
        let mut answers = stream(&mut bench.client(&plugin)).await.unwrap();
        says.messages(&["one"]);
        answers.message().await.unwrap();
        drop(answers);
        assert!(!says.is_heard());
    });
    let returned = bench.returned();
    assert_eq!((returned.outcome.as_str(), returned.response), ("abandoned", tally(&["one"])));
}

/// The outcome of a single call, as the caller and the log have it.
fn outcome(bench: &Arc<Bench>, plugin: &scripted::Scripted) -> (Result<String, Code>, String) {
    let answer = run(unary(&mut bench.client(plugin), get("key")));
    (answer.map_err(|status| status.code()), bench.returned().outcome)
}

#[test]
fn a_plugin_that_is_not_there_is_broken() {
    let bench = Bench::new();
    let plugin = bench.answering(Some(Err(io::ErrorKind::ConnectionReset.into())));
    assert_eq!(outcome(&bench, &plugin).1, "broken");
}

#[test]
fn connection_lost_in_a_response_is_broken() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    says.messages(&["value"]).error(Status::internal("h2 says so"));
    assert_eq!(outcome(&bench, &plugin), (Err(Code::Internal), "broken".into()));
    assert_eq!(bench.returned().response, tally(&["value"]));
}

#[test]
fn an_answer_without_a_status_is_broken() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    says.messages(&["value"]);
    drop(says);
    assert_eq!(outcome(&bench, &plugin), (Err(Code::Unknown), "broken".into()));
    let bench = Bench::new();
    let empty = bench.answering(Some(Ok(http::Response::new(Body::empty()))));
    assert_eq!(outcome(&bench, &empty).1, "broken");
}

#[test]
fn bodiless_status_is_recorded_before_delivery() {
    let bench = Bench::new();
    let plugin = bench.answering(Some(Ok(Status::not_found("gone").into_http())));
    let answer = run(unary(&mut bench.client(&plugin), get("key"))).unwrap_err();
    assert_eq!(kinds(&bench.events()), ["call", "returned"]);
    assert_eq!((answer.code(), answer.message()), (Code::NotFound, "gone"));
    assert_eq!(bench.returned().outcome, "NOT_FOUND");
}

#[test]
fn body_after_a_header_status_is_dropped() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    plugin.with_header("grpc-status", "5");
    says.messages(&["value"]);
    assert_eq!(outcome(&bench, &plugin), (Err(Code::NotFound), "NOT_FOUND".into()));
    assert!(!says.is_heard());
}

#[test]
fn message_after_ok_headers_is_recorded() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    plugin.with_header("grpc-status", "0");
    says.messages(&["value"]);
    drop(says);
    assert_eq!(outcome(&bench, &plugin), (Ok("value".into()), "OK".into()));
    assert_eq!(bench.returned().response, tally(&["value"]));
}

#[test]
fn header_status_holds_without_trailers() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    plugin.with_header("grpc-status", "0");
    says.messages(&["value"]).trailers(http::HeaderMap::new());
    assert_eq!(outcome(&bench, &plugin), (Ok("value".into()), "OK".into()));
}

#[test]
fn partial_message_is_in_the_record() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    says.bytes(&[&framed("one")[..], &[0, 0, 0, 0, 9, b'x', b'y']].concat()).ok();
    // How the caller handles an incomplete message is up to the caller.
    let (_, outcome) = outcome(&bench, &plugin);
    assert_eq!(outcome, "OK");
    let all = [&encoded("one")[..], b"xy"].concat();
    let expected = MessageTally { messages: 1, bytes: all.len() as u64, hash: Some(keyed_hash(&all)) };
    assert_eq!(bench.returned().response, expected);
}

#[test]
fn oversized_message_is_refused_before_it_arrives() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    says.bytes(&[0]).bytes(&(MESSAGE_LIMIT as u32 + 1).to_be_bytes());
    let mut client = bench.client(&plugin).max_decoding_message_size(usize::MAX);
    let status = run(unary(&mut client, get("key"))).unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    assert!(!says.is_heard());
    assert_eq!(bench.kinds(), ["call", "limit", "returned"]);
    let Event::Limit(LimitReached { call, limit, allowed, found, .. }) = &bench.events()[1] else { panic!() };
    let expected = (Some(1), "message bytes", MESSAGE_LIMIT as u64, Some(MESSAGE_LIMIT as u64 + 1));
    assert_eq!((*call, limit.as_str(), *allowed, *found), expected);
    assert_eq!(bench.returned().outcome, "OUT_OF_RANGE");
}

#[test]
fn client_limit_applies_as_without_a_log() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    // The rest never comes.
    says.bytes(&[0, 0, 0x50, 0, 0, b'x']);
    let status = run(unary(&mut bench.client(&plugin), get("key"))).unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    let returned = bench.returned();
    assert_eq!((returned.outcome.as_str(), returned.response.messages, returned.response.bytes), ("abandoned", 0, 1));
}

#[test]
fn endless_stream_is_recorded_in_parts() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    let large = "x".repeat(300 * 1024);
    for _ in 0..8 {
        says.messages(&[&large]);
    }
    run(async {
        let mut answers = stream(&mut bench.client(&plugin)).await.unwrap();
        answers.message().await.unwrap().unwrap();
        assert_eq!(bench.messages()[0].response.messages, 4, "as many as make a mebibyte");
    });
}

#[test]
fn bytes_after_a_message_are_bounded() {
    let (bench, taken) = (Bench::new(), Arc::default());
    let flood = http::Response::new(Body::new(Flood(Arc::clone(&taken))));
    let plugin = bench.answering(Some(Ok(flood)));
    run(async {
        let mut answers = stream(&mut bench.client(&plugin)).await.unwrap();
        assert_eq!(answers.message().await.unwrap().unwrap(), "one");
    });
    assert!(taken.load(Ordering::Relaxed) <= 18, "more than a mebibyte was taken: {taken:?}");
    assert_eq!(bench.messages()[0].response, tally(&["one"]));
}

#[test]
fn late_host_messages_are_in_the_outcome() {
    let bench = Bench::new();
    let (plugin, says) = bench.talking();
    run(async {
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        sender.send("one".to_owned()).await.unwrap();
        let mut client = bench.client(&plugin);
        let call = tokio::spawn(async move {
            let codec = ProstCodec::<String, String>::default();
            let request = Request::new(ReceiverStream::new(receiver));
            client.client_streaming(request, "/test.Kv/Put".parse().unwrap(), codec).await.map(Response::into_inner)
        });
        while plugin.asked.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        sender.send("two".to_owned()).await.unwrap();
        drop(sender);
        let mut request = plugin.asked.lock().unwrap().take().unwrap();
        assert_eq!(read(request.body_mut()).await, [framed("one"), framed("two")].concat());
        says.messages(&["done"]).ok();
        assert_eq!(call.await.unwrap().unwrap(), "done");
    });
    assert_eq!(bench.call().request, tally(&["one"]));
    assert_eq!(bench.returned().request, tally(&["one", "two"]));
}

#[test]
fn channel_clones_share_the_call_counter() {
    let bench = Bench::new();
    let mut first = bench.client(&bench.answering(Some(Ok(Status::aborted("").into_http()))));
    let mut second = first.clone();
    run(async {
        unary(&mut first, get("a")).await.unwrap_err();
        tokio::select! {
            biased;
            _ = unary(&mut second, get("b")) => panic!("it was answered"),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    });
    let calls = bench.events().into_iter().filter_map(|event| match event {
        Event::Call(call) => Some(call.call),
        _ => None,
    });
    assert_eq!(calls.collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn in_best_effort_nothing_is_waited_for() {
    let bench = Bench::best_effort();
    let (plugin, says) = bench.talking();
    run(async {
        let mut answers = stream(&mut bench.client(&plugin)).await.unwrap();
        says.messages(&["one"]);
        assert_eq!(answers.message().await.unwrap().unwrap(), "one");
        says.ok();
        assert!(answers.message().await.unwrap().is_none());
    });
    assert_eq!(bench.kinds(), ["call", "returned"]);
    assert_eq!(bench.returned().response, tally(&["one"]));
}

#[test]
fn best_effort_calls_run_without_the_log() {
    let bench = Bench::best_effort();
    let (plugin, says) = bench.talking();
    bench.log.close();
    says.messages(&["value"]).ok();
    assert_eq!(run(unary(&mut bench.client(&plugin), get("key"))).unwrap(), "value");
}

#[test]
fn a_span_has_the_names_that_opentelemetry_has() {
    let (subscriber, seen) = spans::collecting();
    tracing::subscriber::with_default(subscriber, || {
        // `tracing` asks once who wants to know of a span, and may have asked before, for another
        // test that is making its first.
        for _ in 0..100 {
            if !seen.lock().unwrap().is_empty() {
                break;
            }
            tracing::callsite::rebuild_interest_cache();
            let bench = Bench::new();
            let plugin = bench.answering(Some(Ok(Status::already_exists("").into_http())));
            run(unary(&mut bench.client(&plugin), get("key"))).unwrap_err();
        }
    });
    let seen = seen.lock().unwrap();
    for (name, value) in [
        ("otel.kind", "client"),
        ("otel.name", "test.Kv/Get"),
        ("rpc.system", "grpc"),
        ("rpc.service", "test.Kv"),
        ("rpc.method", "Get"),
        ("rpc.grpc.status_code", "6"),
        ("launch", "0000000000000007"),
        ("call", "1"),
    ] {
        assert_eq!(seen.get(name).map(String::as_str), Some(value), "{name}: {seen:?}");
    }
}
