//! The clients of a sandbox: buyers with their browsers, and the seller's application.
//!
//! They know nothing but addresses. The demo and the end-to-end tests use them.

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method, RequestBuilder, header};
use serde_json::{Value, json};

/// The access key of the application.
const APPLICATION: &str = "AKIAAPPLICATION";

/// Returns the `Authorization` header in place of a real signature: it names an access key, which is all that the
/// sandbox reads.
fn signature(access_key: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/20261110/us-east-1/execute-api/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=0"
    )
}

/// The clients of the address of a stage.
#[derive(Debug, Clone)]
pub struct TestClient {
    http: Client,
    url: String,
}

/// The result of a buyer's purchase.
#[derive(Debug, Clone)]
pub struct TestPurchase {
    /// The license's key in Stallkeeper.
    pub license: String,
    /// The registration token.
    pub token: String,
    /// The agreement.
    pub agreement: String,
    /// The buyer's account.
    pub account: String,
    /// The buyer's customer key, for a legacy product.
    pub customer: Option<String>,
    /// The product's code.
    pub product: String,
}

/// The answer that a browser gets.
#[derive(Debug)]
pub struct PageResponse {
    /// The status.
    pub status: u16,
    /// The code of the error, if there is one.
    pub code: Option<String>,
    /// The address to which the browser is redirected.
    pub location: Option<String>,
    /// The cookie that was set, as the browser sends it back.
    pub cookie: Option<String>,
    /// The state of the stack's reporter, if it is not the usual one.
    pub reporter: Option<String>,
    /// The page.
    pub page: String,
}

impl TestClient {
    /// Creates the clients of an address.
    ///
    /// # Errors
    ///
    /// Fails when the HTTP client cannot be built.
    pub fn at(url: &str) -> Result<Self> {
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { http, url: url.to_owned() })
    }

    /// Calls the control API, and requires success.
    ///
    /// # Errors
    ///
    /// Fails when the call does not succeed, with the answer.
    pub async fn control(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let (status, body) = answered(self.http.request(method, self.address(path)).json(&body)).await?;
        ensure!((200..300).contains(&status), "{path}: {status} {body}");
        Ok(body)
    }

    /// Places an order without registering.
    ///
    /// # Errors
    ///
    /// Fails when the control API refuses the order.
    pub async fn buy(&self, mut order: Value) -> Result<TestPurchase> {
        if let Some(order) = order.as_object_mut() {
            order.insert("register".to_owned(), json!(false));
        }
        let bought = self.control(Method::POST, "/sandbox/purchases", order).await?;
        Ok(TestPurchase {
            license: text(&bought, "license")?,
            token: text(&bought, "token")?,
            agreement: text(&bought, "agreement_id")?,
            account: text(&bought, "account_id")?,
            customer: text(&bought, "customer_identifier").ok(),
            product: text(&bought, "product_code")?,
        })
    }

    /// Changes an agreement, and returns the changed agreement.
    ///
    /// # Errors
    ///
    /// Fails when the control API refuses the change.
    pub async fn change(&self, agreement: &str, action: Value) -> Result<Value> {
        self.control(Method::POST, &format!("/sandbox/agreements/{agreement}"), action).await
    }

    /// Posts a token to the registration URL, as AWS Marketplace makes the browser do.
    ///
    /// # Errors
    ///
    /// Fails when there is no answer.
    pub async fn post_token(&self, token: &str) -> Result<PageResponse> {
        self.post_form("/register", &[("x-amzn-marketplace-token", token)], None).await
    }

    /// Posts a form from a page of this site, with the session's cookie.
    ///
    /// # Errors
    ///
    /// Fails when there is no answer.
    pub async fn post_form(&self, path: &str, fields: &[(&str, &str)], cookie: Option<&str>) -> Result<PageResponse> {
        let request = self.http.post(self.address(path)).header(header::ORIGIN, &self.url).form(fields);
        visit(with_cookie(request, cookie)).await
    }

    /// Opens a page with the session's cookie.
    ///
    /// # Errors
    ///
    /// Fails when there is no answer.
    pub async fn open(&self, path: &str, cookie: Option<&str>) -> Result<PageResponse> {
        visit(with_cookie(self.http.get(self.address(path)), cookie)).await
    }

    /// Fills in the page of a session and submits it; `account` is `new` or `existing`.
    ///
    /// # Errors
    ///
    /// Fails when the page has no form, or there is no answer.
    pub async fn submit_contact(&self, cookie: &str, email: &str, account: &str) -> Result<PageResponse> {
        let page = self.open("/register", Some(cookie)).await?.page;
        let token = hidden_field(&page, "form_token").with_context(|| format!("there is no form on {page}"))?;
        let fields = [("form_token", token.as_str()), ("email", email), ("account", account)];
        self.post_form("/register/details", &fields, Some(cookie)).await
    }

    /// Registers completely: posts the token, leaves a contact, and is redirected to the application.
    ///
    /// # Errors
    ///
    /// Fails when no session starts.
    pub async fn register(&self, token: &str, email: &str) -> Result<PageResponse> {
        let arrived = self.post_token(token).await?;
        let cookie = arrived.cookie.as_deref().with_context(|| format!("there is no session: {arrived:?}"))?;
        self.submit_contact(cookie, email, "new").await
    }

    /// Sends any body with any content type, signed as the application.
    ///
    /// # Errors
    ///
    /// Fails when there is no answer.
    pub async fn send_raw(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<PageResponse> {
        visit(self.signed(method, path).header(header::CONTENT_TYPE, content_type).body(body)).await
    }

    /// Sends a signed call of the application. An answer without a body is null.
    ///
    /// # Errors
    ///
    /// Fails when the answer is not JSON.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<(u16, Value)> {
        let request = self.signed(method, path);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        answered(request).await
    }

    /// Redeems the code of a handoff, signed with any access key.
    ///
    /// # Errors
    ///
    /// Fails when the answer is not JSON.
    pub async fn redeem_as(&self, access_key: &str, key: &str, code: &str) -> Result<(u16, Value)> {
        let request = self.http.post(self.address("/v1/handoffs")).header(header::AUTHORIZATION, signature(access_key));
        answered(request.header("idempotency-key", key).json(&json!({ "code": code }))).await
    }

    /// Redeems the code of a handoff, as the application.
    ///
    /// # Errors
    ///
    /// Fails when the answer is not JSON.
    pub async fn redeem(&self, key: &str, code: &str) -> Result<(u16, Value)> {
        self.redeem_as(APPLICATION, key, code).await
    }

    /// Links a license to a tenant, as the application.
    ///
    /// # Errors
    ///
    /// Fails when the answer is not JSON.
    pub async fn link(&self, license: &str, tenant: &str) -> Result<(u16, Value)> {
        self.call(Method::PUT, &format!("/v1/licenses/{license}/tenant"), Some(json!({ "tenant": tenant }))).await
    }

    /// Reports usage as the application, and returns each event's result.
    ///
    /// # Errors
    ///
    /// Fails when the request as a whole is rejected.
    pub async fn report(&self, events: Value) -> Result<Vec<Value>> {
        let (status, answer) = self.call(Method::POST, "/v1/usage", Some(json!({ "events": events }))).await?;
        ensure!(status == 200, "usage was answered {status} {answer}");
        let results = answer.get("results").and_then(Value::as_array);
        Ok(results.with_context(|| format!("there are no results in {answer}"))?.clone())
    }

    /// Returns the records that AWS has booked.
    ///
    /// # Errors
    ///
    /// Fails when the control API does not answer.
    pub async fn bill(&self) -> Result<Vec<Value>> {
        let bill = self.control(Method::GET, "/sandbox/bill", Value::Null).await?;
        let records = bill.get("records").and_then(Value::as_array);
        Ok(records.with_context(|| format!("there are no records in {bill}"))?.clone())
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn signed(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.address(path)).header(header::AUTHORIZATION, signature(APPLICATION))
    }
}

/// Returns the value of a page's hidden field.
pub fn hidden_field(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
    rest.split('"').next().map(str::to_owned)
}

/// Returns a text member of an answer.
///
/// # Errors
///
/// Fails when the answer has no such text.
pub fn text(answer: &Value, name: &str) -> Result<String> {
    let text = answer.get(name).and_then(Value::as_str);
    Ok(text.with_context(|| format!("there is no `{name}` in {answer}"))?.to_owned())
}

/// Returns the code of the handoff in the address to which a browser is redirected.
pub fn handoff_code(visit: &PageResponse) -> Option<String> {
    let (_, code) = visit.location.as_deref()?.split_once("?code=")?;
    Some(code.to_owned())
}

async fn answered(request: RequestBuilder) -> Result<(u16, Value)> {
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let body = answer.bytes().await?;
    Ok((status, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? }))
}

fn with_cookie(request: RequestBuilder, cookie: Option<&str>) -> RequestBuilder {
    match cookie {
        Some(cookie) => request.header(header::COOKIE, cookie),
        None => request,
    }
}

async fn visit(request: RequestBuilder) -> Result<PageResponse> {
    let answer = request.send().await?;
    let text = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(PageResponse {
        status: answer.status().as_u16(),
        code: text("x-stallkeeper-code"),
        location: text("location"),
        reporter: text("x-stallkeeper-reporter"),
        cookie: text("set-cookie").and_then(|cookie| cookie.split(';').next().map(str::to_owned)),
        page: answer.text().await?,
    })
}
