use hyper::StatusCode;

/// The error of a request, as reported by Google Cloud Storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    AccessDenied,
    AuthenticationRequired,
    EntityTooSmall,
    InvalidArgument(String),
    InvalidPart,
    InvalidPartOrder,
    /// The range starts beyond the end of an object of this size.
    InvalidRange(u64),
    MalformedXml,
    MethodNotAllowed,
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    /// The client's copy is current. This is a response without a body rather than an error.
    NotModified,
    PreconditionFailed,
}

impl Problem {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::AccessDenied => StatusCode::FORBIDDEN,
            Self::AuthenticationRequired => StatusCode::UNAUTHORIZED,
            Self::EntityTooSmall
            | Self::InvalidArgument(_)
            | Self::InvalidPart
            | Self::InvalidPartOrder
            | Self::MalformedXml => StatusCode::BAD_REQUEST,
            Self::InvalidRange(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoSuchBucket | Self::NoSuchKey | Self::NoSuchUpload => StatusCode::NOT_FOUND,
            Self::NotModified => StatusCode::NOT_MODIFIED,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        }
    }

    /// Returns the error code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDenied",
            Self::AuthenticationRequired => "AuthenticationRequired",
            Self::EntityTooSmall => "EntityTooSmall",
            Self::InvalidArgument(_) => "InvalidArgument",
            Self::InvalidPart => "InvalidPart",
            Self::InvalidPartOrder => "InvalidPartOrder",
            Self::InvalidRange(_) => "InvalidRange",
            Self::MalformedXml => "MalformedXML",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NoSuchBucket => "NoSuchBucket",
            Self::NoSuchKey => "NoSuchKey",
            Self::NoSuchUpload => "NoSuchUpload",
            Self::NotModified => "NotModified",
            Self::PreconditionFailed => "PreconditionFailed",
        }
    }

    /// Returns the error message.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::AccessDenied => "Access denied.",
            Self::AuthenticationRequired => "Authentication required.",
            Self::EntityTooSmall => {
                "Your proposed upload is smaller than the minimum allowed size."
            }
            Self::InvalidArgument(problem) => problem,
            Self::InvalidPart => "One or more of the specified parts could not be found.",
            Self::InvalidPartOrder => "The list of parts was not in ascending order.",
            Self::InvalidRange(_) => "The requested range cannot be satisfied.",
            Self::MalformedXml => "The XML you provided was not well-formed or did not validate.",
            Self::MethodNotAllowed => "The specified method is not allowed against this resource.",
            Self::NoSuchBucket => "The specified bucket does not exist.",
            Self::NoSuchKey => "The specified key does not exist.",
            Self::NoSuchUpload => "The requested upload was not found.",
            Self::NotModified => "The object is the one that you have.",
            Self::PreconditionFailed => {
                "At least one of the pre-conditions you specified did not hold."
            }
        }
    }
}
