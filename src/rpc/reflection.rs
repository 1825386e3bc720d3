//! The list of a plugin's services, from its reflection service (`grpc.reflection`): one request,
//! one response of limited size. Calls none of the services.

use std::fmt;

use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::Escaped;
use crate::limits::rpc::{
    LISTED_SERVICES, QUOTED_NAME_CHARACTERS, REFLECTION_MESSAGE_BYTES, SERVICE_NAME_BYTES, STATUS_MESSAGE_CHARACTERS,
};
use crate::transport::Http2Channel;

/// The version of the reflection service that answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReflectionVersion {
    /// `grpc.reflection.v1`.
    V1,
    /// `grpc.reflection.v1alpha`, of older servers.
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

/// Requests the names of the services, sorted. `None` if the plugin has no reflection. Sets no
/// deadline.
pub(crate) async fn list_services(
    channel: &Http2Channel,
) -> Result<Option<(ReflectionVersion, Vec<String>)>, ServicesError> {
    for version in [ReflectionVersion::V1, ReflectionVersion::V1Alpha] {
        match request_list(channel.clone(), version).await {
            Err(ServicesError::Status { code: Code::Unimplemented, .. }) => {}
            response => return names(response?).map(|names| Some((version, names))),
        }
    }
    Ok(None)
}

/// The two versions have the same messages on the wire.
async fn request_list(
    channel: Http2Channel,
    version: ReflectionVersion,
) -> Result<ServerReflectionResponse, ServicesError> {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = Grpc::new(channel).max_decoding_message_size(REFLECTION_MESSAGE_BYTES);
    client.ready().await.map_err(|error| ServicesError::status(&Status::from_error(error.into())))?;
    let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
    let response = client.streaming(Request::new(tokio_stream::once(request)), version.path(), codec).await;
    let mut messages = response.map_err(|status| ServicesError::status(&status))?.into_inner();
    // One request has one response. Further messages are not read.
    let message = messages.message().await.map_err(|status| ServicesError::status(&status))?;
    message.ok_or(ServicesError::NoResponse)
}

fn names(response: ServerReflectionResponse) -> Result<Vec<String>, ServicesError> {
    let services = match response.message_response {
        Some(MessageResponse::ListServicesResponse(list)) => list.service,
        Some(MessageResponse::ErrorResponse(error)) => {
            return Err(ServicesError::Refused {
                code: error.error_code,
                message: truncate(&error.error_message, STATUS_MESSAGE_CHARACTERS),
            });
        }
        _ => return Err(ServicesError::UnexpectedResponse),
    };
    if services.len() > LISTED_SERVICES {
        return Err(ServicesError::TooMany { limit: LISTED_SERVICES, found: services.len() });
    }
    let mut names: Vec<String> = services.into_iter().map(|service| service.name).collect();
    if let Some(long) = names.iter().find(|name| name.len() > SERVICE_NAME_BYTES) {
        return Err(ServicesError::NameTooLong {
            limit: SERVICE_NAME_BYTES,
            start: truncate(long, QUOTED_NAME_CHARACTERS),
        });
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn truncate(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// The services of a plugin could not be listed. The plugin keeps running.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServicesError {
    /// The call to the reflection service failed.
    #[error("listing the plugin's services failed: {code}: {}", Escaped::new(message))]
    Status {
        /// The gRPC status code.
        code: Code,
        /// The plugin's message, at most 500 characters of it.
        message: String,
    },
    /// The reflection service returned an error response.
    #[error("the plugin refused to list its services (code {code}): {}", Escaped::new(message))]
    Refused {
        /// The code. Well-behaved servers send a gRPC status code.
        code: i32,
        /// The plugin's message, at most 500 characters of it.
        message: String,
    },
    /// The reflection service sent another kind of response than was requested.
    #[error("expected a list of services, the plugin sent another kind of response")]
    UnexpectedResponse,
    /// The reflection service ended its stream without a response.
    #[error("expected a list of services, the plugin sent no response")]
    NoResponse,
    /// The list is too long.
    #[error("the plugin lists {found} services, the limit is {limit}")]
    TooMany {
        /// The most services that are accepted.
        limit: usize,
        /// The number of services in the list.
        found: usize,
    },
    /// A name in the list is too long.
    #[error("the plugin lists a service whose name is longer than {limit} bytes: {}…", Escaped::new(start))]
    NameTooLong {
        /// The longest name that is accepted, in bytes.
        limit: usize,
        /// The start of the name.
        start: String,
    },
    /// The deadline passed.
    #[error("the plugin did not list its services in time")]
    Timeout,
}

impl ServicesError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Status { .. } => "services-status",
            Self::Refused { .. } => "services-refused",
            Self::UnexpectedResponse => "services-unexpected-response",
            Self::NoResponse => "services-no-response",
            Self::TooMany { .. } => "services-too-many",
            Self::NameTooLong { .. } => "services-name-too-long",
            Self::Timeout => "services-timeout",
        }
    }

    fn status(status: &Status) -> Self {
        Self::Status { code: status.code(), message: truncate(status.message(), STATUS_MESSAGE_CHARACTERS) }
    }
}

#[cfg(test)]
mod tests {
    use tonic_reflection::pb::v1::{ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServiceResponse};

    use super::*;

    fn parse(response: MessageResponse) -> Result<Vec<String>, ServicesError> {
        names(ServerReflectionResponse { message_response: Some(response), ..Default::default() })
    }

    fn list_of(names: impl IntoIterator<Item = String>) -> Result<Vec<String>, ServicesError> {
        let service = names.into_iter().map(|name| ServiceResponse { name }).collect();
        parse(MessageResponse::ListServicesResponse(ListServiceResponse { service }))
    }

    #[test]
    fn service_names_are_sorted_and_unique() {
        assert_eq!(list_of(["b", "a", "b"].map(String::from)).unwrap(), ["a", "b"]);
        assert_eq!(list_of([]).unwrap(), [""; 0]);
    }

    #[test]
    fn service_lists_are_limited() {
        assert_eq!(list_of((0..LISTED_SERVICES).map(|number| number.to_string())).unwrap().len(), LISTED_SERVICES);
        let error = list_of((0..=LISTED_SERVICES).map(|number| number.to_string())).unwrap_err();
        assert_eq!(error, ServicesError::TooMany { limit: LISTED_SERVICES, found: LISTED_SERVICES + 1 });
        assert_eq!(list_of(["x".repeat(SERVICE_NAME_BYTES)]).unwrap()[0].len(), SERVICE_NAME_BYTES);
        let error = list_of(["\u{1b}".repeat(SERVICE_NAME_BYTES + 1)]).unwrap_err().to_string();
        assert!(
            error.contains(r"256 bytes: \u{1b}\u{1b}") && error.len() < 1000 && !error.contains('\u{1b}'),
            "{error}"
        );
    }

    #[test]
    fn other_responses_are_named_errors() {
        let refusal = ErrorResponse { error_code: 7, error_message: "no\n".repeat(1000) };
        let error = parse(MessageResponse::ErrorResponse(refusal)).unwrap_err();
        assert!(matches!(&error, ServicesError::Refused { code: 7, message } if message.len() == 500), "{error}");
        let file = MessageResponse::FileDescriptorResponse(FileDescriptorResponse::default());
        assert_eq!(parse(file), Err(ServicesError::UnexpectedResponse));
        assert_eq!(names(ServerReflectionResponse::default()), Err(ServicesError::UnexpectedResponse));
    }
}
