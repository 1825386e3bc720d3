//! A plugin with the SDK and hand-written server reflection, which lists its services truthfully or
//! misbehaves.

use std::convert::Infallible;
use std::pin::Pin;
use std::process::ExitCode;

use portcullis::plugin;
use tokio_stream::Stream;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::server_reflection_server::{ServerReflection, ServerReflectionServer};
use tonic_reflection::pb::v1::{
    ErrorResponse, ListServiceResponse, ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};
use tonic_reflection::pb::v1alpha;

/// Serves, and answers reflection requests in the given way.
pub fn serve(how: &str) -> ExitCode {
    let how = how.to_string();
    plugin::builder("BASIC_PLUGIN", "hello").version(1, || async move { Ok::<_, Infallible>(routes(how)) }).serve()
}

fn routes(how: String) -> Routes {
    match how.as_str() {
        "old" => Routes::new(v1alpha::server_reflection_server::ServerReflectionServer::new(Old)),
        _ => Routes::new(ServerReflectionServer::new(Reflector { how })),
    }
}

struct Reflector {
    how: String,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ServerReflection for Reflector {
    type ServerReflectionInfoStream = Answers<ServerReflectionResponse>;

    async fn server_reflection_info(
        &self,
        _requests: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let endless = std::iter::repeat_with(|| list(["a.B".into()]));
        let answers: Answers<_> = match self.how.as_str() {
            "names" => just(list(["a.B", "c \u{1b}[31m\nforged"].map(String::from))),
            "endless" => Box::pin(tokio_stream::iter(endless.map(Ok))),
            "many" => just(list((0..300).map(|number| format!("a.B{number}")))),
            "long" => just(list(["x".repeat(10_000)])),
            "large" => just(list(["x".repeat(1024 * 1024)])),
            "mute" => Box::pin(tokio_stream::pending()),
            "silent" => std::future::pending().await,
            "none" => Box::pin(tokio_stream::empty()),
            "refuse" => {
                let error = ErrorResponse { error_code: 7, error_message: "no\u{1b}".into() };
                just(answer(MessageResponse::ErrorResponse(error)))
            }
            "status" => return Err(Status::permission_denied("no\u{1b}")),
            "exit" => std::process::exit(9),
            other => panic!("no such mode: {other}"),
        };
        Ok(Response::new(answers))
    }
}

fn just(answer: ServerReflectionResponse) -> Answers<ServerReflectionResponse> {
    Box::pin(tokio_stream::once(Ok(answer)))
}

fn answer(response: MessageResponse) -> ServerReflectionResponse {
    ServerReflectionResponse { message_response: Some(response), ..Default::default() }
}

fn list(names: impl IntoIterator<Item = String>) -> ServerReflectionResponse {
    let service = names.into_iter().map(|name| ServiceResponse { name }).collect();
    answer(MessageResponse::ListServicesResponse(ListServiceResponse { service }))
}

/// The reflection version of older servers.
struct Old;

#[tonic::async_trait]
impl v1alpha::server_reflection_server::ServerReflection for Old {
    type ServerReflectionInfoStream = Answers<v1alpha::ServerReflectionResponse>;

    async fn server_reflection_info(
        &self,
        requests: Request<Streaming<v1alpha::ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        use v1alpha::server_reflection_request::MessageRequest;
        use v1alpha::server_reflection_response::MessageResponse;
        let request = requests.into_inner().message().await?.and_then(|request| request.message_request);
        if !matches!(request, Some(MessageRequest::ListServices(_))) {
            return Err(Status::invalid_argument("another request"));
        }
        let service = vec![v1alpha::ServiceResponse { name: "old.Service".into() }];
        let list = MessageResponse::ListServicesResponse(v1alpha::ListServiceResponse { service });
        let answer = v1alpha::ServerReflectionResponse { message_response: Some(list), ..Default::default() };
        Ok(Response::new(Box::pin(tokio_stream::once(Ok(answer)))))
    }
}
