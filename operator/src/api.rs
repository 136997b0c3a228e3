//! The API of a stack, called with the operator's credentials.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::print::Progress;
use crate::signed::{Answer, Call, Signed, encoded};
use crate::stack::StackArguments;

/// The time that one request may take: API Gateway gives up after 30 seconds.
const TIME_LIMIT: Duration = Duration::from_secs(35);

/// The most attempts of a request that changes nothing.
const ATTEMPTS: u32 = 3;

/// The pause before the second attempt; before the third it is twice as long.
const PAUSE: Duration = Duration::from_millis(300);

/// The options that select a stack's API.
#[derive(Debug, Args)]
pub(crate) struct ApiArguments {
    #[command(flatten)]
    stack: StackArguments,
    /// Use this URL of the stack's API instead of asking CloudFormation for it.
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,
}

/// A client of a stack's API.
pub(crate) struct Api {
    url: String,
    signed: Signed,
}

impl ApiArguments {
    pub(crate) fn of(stack: StackArguments, api_url: Option<String>) -> Self {
        Self { stack, api_url }
    }

    pub(crate) fn stack(&self) -> &StackArguments {
        &self.stack
    }

    /// Returns the options that select the API, as they are typed.
    pub(crate) fn typed(&self) -> String {
        let url = self.api_url.as_ref().map(|url| format!(" --api-url {url}")).unwrap_or_default();
        format!("{}{url}", self.stack.typed())
    }

    /// Returns the API that the options select.
    pub(crate) async fn api(&self) -> anyhow::Result<Api> {
        let config = self.stack.config().await;
        let url = match &self.api_url {
            Some(url) => url.clone(),
            None => self.stack.described(&config).await?.output("ApiUrl")?.to_owned(),
        };
        let signed = Signed::new(&config)?;
        // Missing credentials are reported here: in a call they would be reported as an API that does not answer.
        signed.credentials().await?;
        Ok(Api::new(&url, signed))
    }
}

impl Api {
    pub(crate) fn new(url: &str, signed: Signed) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), signed }
    }

    /// Reads a document.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.read(self.until_answered(path, &[]).await?)
    }

    /// Reads a document; `None` if the API answers with the given code.
    pub(crate) async fn get_unless(&self, code: &str, path: &str) -> anyhow::Result<Option<Value>> {
        let answer = self.until_answered(path, &[]).await?;
        let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match document.get("code").is_some_and(|actual| actual == code) {
            true => Ok(None),
            false => self.read(answer).map(Some),
        }
    }

    /// Reads a resource in another format than JSON.
    pub(crate) async fn get_text(&self, path: &str, accept: &str) -> anyhow::Result<String> {
        let answer = self.until_answered(path, &[("accept", accept)]).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(&answer));
        }
        let is_other = || format!("the API at {} does not answer {path} with text", self.url);
        String::from_utf8(answer.body).with_context(is_other)
    }

    /// Sends a GET request, up to [`ATTEMPTS`] times while it fails temporarily.
    async fn until_answered(&self, path: &str, headers: &[(&'static str, &str)]) -> anyhow::Result<Answer> {
        let mut attempt = 1;
        loop {
            match self.call(Method::GET, path, headers, "").await {
                Err(_) if attempt < ATTEMPTS => {}
                Ok(answer) if attempt < ATTEMPTS && may_succeed_later(answer.status) => {}
                answered => return answered,
            }
            tokio::time::sleep(PAUSE * attempt).await;
            attempt += 1;
        }
    }

    /// Sends a JSON document, once.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.read(self.ask(Method::POST, path, "application/json", &body).await?)
    }

    /// Reads all pages of a list. `path` may have a query; `member` is the name of the list in its pages.
    pub(crate) async fn list(&self, path: &str, member: &str) -> anyhow::Result<Vec<Value>> {
        let mut progress = Progress::begin();
        let mut listed = Vec::new();
        let mut page = path.to_owned();
        loop {
            let mut answer = self.get(&page).await?;
            match answer.get_mut(member).map(Value::take) {
                Some(Value::Array(part)) => listed.extend(part),
                _ => bail!(
                    "the API at {} answers {path} without {member}. Check that the stack and this command have the same version",
                    self.url
                ),
            }
            let Some(next) = answer.get("next").and_then(Value::as_str) else { return Ok(listed) };
            progress.say(&format!("{} {member} so far", listed.len()));
            let joint = if path.contains('?') { '&' } else { '?' };
            page = format!("{path}{joint}cursor={}", encoded(next));
        }
    }

    /// Makes a call once, and returns any answer.
    pub(crate) async fn ask(&self, method: Method, path: &str, kind: &str, body: &str) -> anyhow::Result<Answer> {
        let headers = if body.is_empty() { vec![] } else { vec![("content-type", kind)] };
        self.call(method, path, &headers, body).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> anyhow::Result<Answer> {
        let url = format!("{}{path}", self.url);
        let call = Call { service: "execute-api", method, url: &url, headers, body, time_limit: TIME_LIMIT };
        self.signed.call(&call).await.with_context(|| {
            format!("the API at {} does not answer. Check its URL; repeating the command is safe", self.url)
        })
    }

    /// Returns the URL of the API.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the JSON of a successful answer. Fails with an error for operators on any other answer.
    pub(crate) fn read(&self, answer: Answer) -> anyhow::Result<Value> {
        if !answer.status.is_success() {
            return Err(self.refusal(&answer));
        }
        let document = serde_json::from_slice(&answer.body);
        document.with_context(|| {
            format!("the API at {} does not answer with JSON. Check that the URL is that of a stack's API", self.url)
        })
    }

    /// Returns the error for operators of an answer that is no success.
    pub(crate) fn refusal(&self, Answer { status, body, .. }: &Answer) -> anyhow::Error {
        let document: Value = serde_json::from_slice(body).unwrap_or_default();
        let of = |member: &str| document.get(member).and_then(Value::as_str).unwrap_or_default();
        if !of("code").is_empty() {
            let action = match of("code") {
                // The action is for authors of requests; the detail tells a user of the command what was wrong.
                "parameter_invalid" | "body_unreadable" => "",
                "unavailable" => "Repeat the command later.",
                _ => of("action"),
            };
            let sentences = [of("title"), of("detail"), action].into_iter().filter(|part| !part.is_empty());
            return anyhow!("{} ({})", sentences.map(sentence).collect::<Vec<_>>().join(" "), of("code"));
        }
        match *status {
            StatusCode::FORBIDDEN => anyhow!(
                "the API at {} denies access to these credentials (403). They need execute-api:Invoke, which the policy of \
                 the stack's output ApplicationPolicyArn allows",
                self.url
            ),
            StatusCode::NOT_FOUND => {
                anyhow!("{} does not have this operation (404). Check that the URL is that of a stack's API", self.url)
            }
            status if may_succeed_later(status) => {
                anyhow!("the API at {} is unavailable ({status}). Repeat the command later", self.url)
            }
            status => anyhow!("the API at {} answers {status} {}", self.url, of("message")),
        }
    }
}

/// Adds a full stop to a text without final punctuation.
fn sentence(text: &str) -> String {
    let ends = text.ends_with(['.', '?', '!']);
    format!("{text}{}", if ends { "" } else { "." })
}

fn may_succeed_later(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

#[cfg(test)]
mod tests {
    use aws_config::SdkConfig;
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use http::HeaderMap;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_is_described_in_sentences_with_the_next_step() {
        let credentials = Credentials::new("any", "any", None, None, "test");
        let config = SdkConfig::builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build();
        let api = Api::new("https://api.example.com", Signed::new(&config).unwrap());
        for (code, detail, action, expected) in [
            (
                "parameter_invalid",
                "limit: too many",
                "Send the request again.",
                "No. limit: too many. (parameter_invalid)",
            ),
            ("body_invalid", "Too long.", "Fix the file.", "No. Too long. Fix the file. (body_invalid)"),
            ("unavailable", "", "Send the same request again.", "No. Repeat the command later. (unavailable)"),
            (
                "license_unknown",
                "nothing of l-1 yet",
                "Check the id.",
                "No. nothing of l-1 yet. Check the id. (license_unknown)",
            ),
        ] {
            let body = json!({ "title": "No.", "detail": detail, "action": action, "code": code }).to_string();
            let answer = Answer { status: StatusCode::BAD_REQUEST, headers: HeaderMap::new(), body: body.into() };
            assert_eq!(api.refusal(&answer).to_string(), expected);
        }
    }
}
