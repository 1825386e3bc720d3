//! The plugins that this binary plays, by the name in its first argument.

use std::convert::Infallible;
use std::fs;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::Duration;

use portcullis::plugin;
use tokio_stream::Once;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::server_reflection_server::{ServerReflection, ServerReflectionServer};
use tonic_reflection::pb::v1::{
    ListServiceResponse, ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};

/// Plays the fixture that the first argument names, if it names one. The last argument is a place,
/// which makes the process easy to find.
pub(crate) fn play() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first()?.strip_prefix("fixture:")?;
    let place = arguments.last()?;
    Some(match name {
        "serve" => serve(Routes::default()),
        "trace" => {
            fs::write(format!("{place}/trace"), "I was executed").unwrap();
            serve(Routes::default())
        }
        "tcp" => {
            println!("1|1|tcp|127.0.0.1:1|grpc|");
            std::thread::sleep(Duration::from_secs(60));
            ExitCode::SUCCESS
        }
        "silent" => loop {
            std::thread::sleep(Duration::from_secs(60));
        },
        "exit" => {
            eprintln!("usage: program\nnot \x1b[31mred");
            ExitCode::from(3)
        }
        "list" => serve(Routes::new(ServerReflectionServer::new(Lister))),
        "end-when-asked" => serve(Routes::new(Reflection { ends: true })),
        "mute-when-asked" => serve(Routes::new(Reflection { ends: false })),
        other => panic!("no such fixture: {other}"),
    })
}

fn serve(routes: Routes) -> ExitCode {
    plugin::builder("BASIC_PLUGIN", "hello").version(1, || async { Ok::<_, Infallible>(routes) }).serve()
}

/// Tells its services, and one that is meant for a terminal.
struct Lister;

#[tonic::async_trait]
impl ServerReflection for Lister {
    type ServerReflectionInfoStream = Once<Result<ServerReflectionResponse, Status>>;

    async fn server_reflection_info(
        &self,
        _questions: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let service = ["a.B", "\u{1b}[31m\nkv: OK"].map(|name| ServiceResponse { name: name.into() }).into();
        let list = MessageResponse::ListServicesResponse(ListServiceResponse { service });
        let answer = ServerReflectionResponse { message_response: Some(list), ..Default::default() };
        Ok(Response::new(tokio_stream::once(Ok(answer))))
    }
}

/// Who asks for this plugin's services ends it, or waits for ever.
#[derive(Clone)]
struct Reflection {
    ends: bool,
}

impl NamedService for Reflection {
    const NAME: &'static str = "grpc.reflection.v1.ServerReflection";
}

impl Service<http::Request<Body>> for Reflection {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: http::Request<Body>) -> Self::Future {
        if self.ends {
            eprintln!("last \x1b[31mwords");
            std::process::exit(9);
        }
        Box::pin(std::future::pending())
    }
}
