//! Which services a plugin has, as it says itself (`grpc.reflection`): one question, one answer,
//! within bounds. Calls none of them.

use std::fmt;

use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::Escaped;
use crate::transport::Http2Channel;

/// What is taken of an answer: names, their length in bytes, and the message that holds them.
const NAMES: usize = 256;
const NAME: usize = 256;
const MESSAGE: usize = 256 * 1024;

/// The version of the reflection service that answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReflectionVersion {
    /// `grpc.reflection.v1`.
    V1,
    /// `grpc.reflection.v1alpha`, which older servers have.
    V1Alpha,
}

impl ReflectionVersion {
    fn path(self) -> PathAndQuery {
        PathAndQuery::from_static(match self {
            Self::V1 => "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            Self::V1Alpha => "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        })
    }
}

impl fmt::Display for ReflectionVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V1Alpha => "v1alpha",
        })
    }
}

/// Asks for the names of the services, which come sorted. `None` if the plugin has no reflection.
/// Has no deadline of its own.
pub(crate) async fn list_services(
    channel: &Http2Channel,
) -> Result<Option<(ReflectionVersion, Vec<String>)>, ServicesError> {
    for version in [ReflectionVersion::V1, ReflectionVersion::V1Alpha] {
        match ask(channel.clone(), version).await {
            Err(ServicesError::Status { code: Code::Unimplemented, .. }) => {}
            answer => return names(answer?).map(|names| Some((version, names))),
        }
    }
    Ok(None)
}

/// The messages of the two versions are the same on the wire.
async fn ask(channel: Http2Channel, version: ReflectionVersion) -> Result<ServerReflectionResponse, ServicesError> {
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = Grpc::new(channel).max_decoding_message_size(MESSAGE);
    client.ready().await.map_err(|error| ServicesError::status(&Status::from_error(error.into())))?;
    let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
    let asked = client.streaming(Request::new(tokio_stream::once(question)), version.path(), codec).await;
    let mut answers = asked.map_err(|status| ServicesError::status(&status))?.into_inner();
    // The first answer is the only one that is read.
    let answer = answers.message().await.map_err(|status| ServicesError::status(&status))?;
    answer.ok_or(ServicesError::NoAnswer)
}

fn names(answer: ServerReflectionResponse) -> Result<Vec<String>, ServicesError> {
    let services = match answer.message_response {
        Some(MessageResponse::ListServicesResponse(list)) => list.service,
        Some(MessageResponse::ErrorResponse(error)) => {
            return Err(ServicesError::Refused { code: error.error_code, message: cut(&error.error_message, 500) });
        }
        _ => return Err(ServicesError::AnotherAnswer),
    };
    if services.len() > NAMES {
        return Err(ServicesError::TooMany { limit: NAMES, found: services.len() });
    }
    let mut names: Vec<String> = services.into_iter().map(|service| service.name).collect();
    if let Some(long) = names.iter().find(|name| name.len() > NAME) {
        return Err(ServicesError::NameTooLong { limit: NAME, start: cut(long, 80) });
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// It could not be found out which services a plugin has. The plugin goes on as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServicesError {
    /// The reflection service did not answer properly.
    #[error("the plugin could not be asked for its services: {code}: {}", Escaped::new(message))]
    Status {
        /// The gRPC status code.
        code: Code,
        /// What the plugin said, cut after 500 characters.
        message: String,
    },
    /// The reflection service answered that it does not answer.
    #[error("the plugin does not tell its services (code {code}): {}", Escaped::new(message))]
    Refused {
        /// The code, which is a gRPC status code if it is well.
        code: i32,
        /// What the plugin said, cut after 500 characters.
        message: String,
    },
    /// The reflection service answered a question that was not asked.
    #[error("the plugin was asked for its services and answered something else")]
    AnotherAnswer,
    /// The reflection service ended its stream without an answer.
    #[error("the plugin was asked for its services and gave no answer")]
    NoAnswer,
    /// More services than are taken.
    #[error("the plugin lists {found} services, and no more than {limit} are taken")]
    TooMany {
        /// How many are taken.
        limit: usize,
        /// How many there were.
        found: usize,
    },
    /// A name that is longer than is taken.
    #[error("the plugin lists a service with a name of more than {limit} bytes: {}…", Escaped::new(start))]
    NameTooLong {
        /// The longest name that is taken, in bytes.
        limit: usize,
        /// How it starts.
        start: String,
    },
    /// The answer took longer than it may.
    #[error("the plugin did not tell its services in time")]
    Timeout,
}

impl ServicesError {
    fn status(status: &Status) -> Self {
        Self::Status { code: status.code(), message: cut(status.message(), 500) }
    }
}

#[cfg(test)]
mod tests {
    use tonic_reflection::pb::v1::{ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServiceResponse};

    use super::*;

    fn answer(response: MessageResponse) -> Result<Vec<String>, ServicesError> {
        names(ServerReflectionResponse { message_response: Some(response), ..Default::default() })
    }

    fn list_of(names: impl IntoIterator<Item = String>) -> Result<Vec<String>, ServicesError> {
        let service = names.into_iter().map(|name| ServiceResponse { name }).collect();
        answer(MessageResponse::ListServicesResponse(ListServiceResponse { service }))
    }

    #[test]
    fn service_names_are_sorted_and_unique() {
        assert_eq!(list_of(["b", "a", "b"].map(String::from)).unwrap(), ["a", "b"]);
        assert_eq!(list_of([]).unwrap(), [""; 0]);
    }

    #[test]
    fn service_lists_are_limited() {
        assert_eq!(list_of((0..NAMES).map(|number| number.to_string())).unwrap().len(), NAMES);
        let error = list_of((0..=NAMES).map(|number| number.to_string())).unwrap_err();
        assert_eq!(error, ServicesError::TooMany { limit: NAMES, found: NAMES + 1 });
        assert_eq!(list_of(["x".repeat(NAME)]).unwrap()[0].len(), NAME);
        let error = list_of(["\u{1b}".repeat(NAME + 1)]).unwrap_err().to_string();
        assert!(
            error.contains(r"256 bytes: \u{1b}\u{1b}") && error.len() < 1000 && !error.contains('\u{1b}'),
            "{error}"
        );
    }

    #[test]
    fn other_responses_are_named_errors() {
        let refusal = ErrorResponse { error_code: 7, error_message: "no\n".repeat(1000) };
        let error = answer(MessageResponse::ErrorResponse(refusal)).unwrap_err();
        assert!(matches!(&error, ServicesError::Refused { code: 7, message } if message.len() == 500), "{error}");
        let file = MessageResponse::FileDescriptorResponse(FileDescriptorResponse::default());
        assert_eq!(answer(file), Err(ServicesError::AnotherAnswer));
        assert_eq!(names(ServerReflectionResponse::default()), Err(ServicesError::AnotherAnswer));
    }
}
