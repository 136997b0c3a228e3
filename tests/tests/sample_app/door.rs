//! A network between the application and Stallkeeper that loses answers.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What becomes of what goes through.
#[derive(Debug, Default)]
struct Weather {
    /// Nothing gets through.
    is_shut: bool,
    /// So many answers to requests that begin so are lost.
    lost: (String, usize),
    /// The first lines of all requests that got through.
    requests: Vec<String>,
}

/// The network.
#[derive(Debug, Clone)]
pub struct Door {
    pub url: String,
    weather: Arc<Mutex<Weather>>,
}

impl Door {
    /// A network in front of the server at that address.
    pub async fn before(server: &str) -> Self {
        let server = server.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let door = Self { url, weather: Arc::default() };
        let weather = Arc::clone(&door.weather);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                tokio::spawn(carry(client, server, Arc::clone(&weather)));
            }
        });
        door
    }

    /// The next answers to such requests, such as `POST /v1/usage`, are lost.
    pub fn lose(&self, requests: &str, times: usize) {
        self.weather.lock().unwrap().lost = (requests.to_owned(), times);
    }

    /// Stallkeeper cannot be reached, or again.
    pub fn shut(&self, is_shut: bool) {
        self.weather.lock().unwrap().is_shut = is_shut;
    }

    /// How many such requests got through, answered or not.
    pub fn count(&self, requests: &str) -> usize {
        self.weather.lock().unwrap().requests.iter().filter(|line| line.starts_with(requests)).count()
    }
}

/// Carries bytes both ways, until one side is done or an answer is lost: then both see the connection end.
async fn carry(mut client: TcpStream, mut server: TcpStream, weather: Arc<Mutex<Weather>>) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut request = String::new();
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let text = String::from_utf8_lossy(&asked[..length]);
                let line = text.lines().next().unwrap_or_default();
                {
                    let mut weather = weather.lock().unwrap();
                    if weather.is_shut {
                        return;
                    }
                    if line.ends_with(" HTTP/1.1") {
                        request = line.to_owned();
                        weather.requests.push(request.clone());
                    }
                }
                if server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                {
                    let mut weather = weather.lock().unwrap();
                    if weather.lost.1 > 0 && request.starts_with(&weather.lost.0) {
                        weather.lost.1 -= 1;
                        return;
                    }
                }
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
