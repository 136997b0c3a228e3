//! A browser that keeps cookies, follows redirects, and checks every page that it shows.

use reqwest::{Client, RequestBuilder, header, redirect};
use sandbox::test_client::hidden_field;
use tests::log::keep_secret;

/// The elements without an end tag.
const VOID: [&str; 6] = ["!doctype", "meta", "link", "input", "br", "img"];

/// A browser of one user.
pub struct Browser {
    http: Client,
    application: String,
    cookie: Option<String>,
    page: Page,
}

/// The page that the browser shows.
#[derive(Debug, Default, Clone)]
pub struct Page {
    pub status: u16,
    /// The address, without the host.
    pub path: String,
    pub text: String,
}

impl Page {
    pub fn shows(&self, text: &str) -> bool {
        self.text.contains(text)
    }
}

impl Browser {
    pub fn at(application: &str) -> Self {
        let http = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        let application = application.trim_end_matches('/').to_owned();
        Self { http, application, cookie: None, page: Page::default() }
    }

    /// Returns the page for modification, to simulate a manipulated page.
    pub fn page_mut(&mut self) -> &mut Page {
        &mut self.page
    }

    /// Opens a page of the application, or the address to which the registration page redirected the browser.
    pub async fn open(&mut self, address: &str) -> Page {
        let path = address.strip_prefix(&self.application).unwrap_or(address).to_owned();
        let request = self.http.get(format!("{}{path}", self.application));
        self.go(request, path).await
    }

    /// Sends a form of the current page.
    pub async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let token = hidden_field(&self.page.text, "form_token").unwrap_or_else(|| panic!("no form: {:?}", self.page));
        keep_secret(&token);
        let fields: Vec<(&str, &str)> = [("form_token", token.as_str())].iter().chain(fields).copied().collect();
        let request = self.http.post(format!("{}{path}", self.application)).form(&fields);
        self.go(request, path.to_owned()).await
    }

    async fn go(&mut self, request: RequestBuilder, path: String) -> Page {
        let (mut request, mut path) = (request, path);
        for _ in 0..6 {
            if let Some(cookie) = &self.cookie {
                request = request.header(header::COOKIE, cookie);
            }
            let answer = request.send().await.unwrap();
            let headers = answer.headers().clone();
            let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(text("cache-control").as_deref(), Some("no-store"), "{path}");
            assert_eq!(text("referrer-policy").as_deref(), Some("no-referrer"), "{path}");
            assert!(text("content-security-policy").unwrap().contains("default-src 'none'"), "{path}");
            if let Some(cookie) = text("set-cookie") {
                assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
                let cookie = cookie.split(';').next().unwrap();
                keep_secret(cookie.split_once('=').unwrap().1);
                self.cookie = Some(cookie.to_owned());
            }
            let Some(location) = text("location") else {
                let status = answer.status().as_u16();
                self.page = Page { status, path, text: answer.text().await.unwrap() };
                read_page(&self.page);
                return self.page.clone();
            };
            assert!(!location.contains("code="), "the code stays in the address");
            request = self.http.get(format!("{}{location}", self.application));
            path = location;
        }
        panic!("the redirects do not end: {path}");
    }
}

/// Asserts the properties of every page: it is well-formed, every field has its label, and it contains no code.
fn read_page(page: &Page) {
    assert!(!page.path.contains("code=") && !page.shows("code="), "{page:?}");
    let mut open: Vec<&str> = Vec::new();
    for tag in page.text.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap_or_else(|| panic!("a tag does not end: {tag}"));
        let name = tag.split_whitespace().next().unwrap();
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "{page:?}");
        } else if !VOID.contains(&name) {
            open.push(name);
        }
        if name == "input" && !tag.contains("type=\"hidden\"") {
            let id = tag.split_once("id=\"").unwrap().1.split('"').next().unwrap();
            assert!(page.shows(&format!("<label for=\"{id}\">")), "the field {id} has no label");
        }
    }
    assert_eq!(open, Vec::<&str>::new(), "{page:?}");
    assert_eq!(page.text.matches("<h1>").count(), 1, "{page:?}");
    assert_eq!(page.text.matches("<main").count(), 1);
}
