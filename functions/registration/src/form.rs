//! The form of a request.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header;
use lambda::http::BodyError;
use lambda::http::extract::{media_type, text_of};
use url::form_urlencoded;

use crate::failure::Failed;

const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// The fields of an HTML form, in order. Unlike axum's `Form`, it refuses a body that is not UTF-8.
pub(crate) struct FormFields(pub(crate) Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for FormFields {
    type Rejection = Failed;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failed> {
        if media_type(text_of(request.headers(), header::CONTENT_TYPE).unwrap_or_default()) != CONTENT_TYPE {
            return Err(BodyError::WrongType(CONTENT_TYPE).into());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(BodyError::from)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| BodyError::NotText)?;
        Ok(Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_for_tests;

    async fn fields(content_type: &str, body: &str) -> Option<Vec<(String, String)>> {
        let request = request_for_tests(&[("content-type", content_type)], body);
        FormFields::from_request(request, &()).await.ok().map(|FormFields(fields)| fields)
    }

    #[tokio::test]
    async fn a_form_is_read_whatever_the_case_and_the_parameters_of_its_content_type() {
        let expected = vec![("a".to_owned(), "1 2".to_owned()), ("b".to_owned(), "é".to_owned())];
        for content_type in [CONTENT_TYPE, "Application/X-WWW-Form-Urlencoded ; charset=utf-8"] {
            assert_eq!(fields(content_type, "a=1+2&b=%C3%A9").await.as_ref(), Some(&expected), "{content_type}");
        }
    }

    #[tokio::test]
    async fn a_body_of_another_content_type_is_refused() {
        for content_type in ["", "text/plain", "application/x-www-form-urlencoded-2", "multipart/form-data"] {
            assert_eq!(fields(content_type, "a=1").await, None, "{content_type}");
        }
    }
}
