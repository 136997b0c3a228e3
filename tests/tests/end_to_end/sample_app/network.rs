//! A network between the application and Stallkeeper that loses answers.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The state of the network.
#[derive(Debug, Default)]
struct NetworkState {
    /// `true` if no request gets through.
    is_down: bool,
    /// A prefix of requests, and the number of answers to such requests that are lost.
    lost: (String, usize),
    /// All requests that got through, as they were sent.
    requests: Vec<Vec<u8>>,
}

/// The network.
#[derive(Debug, Clone)]
pub struct LossyNetwork {
    pub url: String,
    server: String,
    state: Arc<Mutex<NetworkState>>,
}

impl LossyNetwork {
    /// Starts a network in front of the server at the given address.
    pub async fn before(server: &str) -> Self {
        let server = server.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let network = Self { url, server: server.clone(), state: Arc::default() };
        let state = Arc::clone(&network.state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                tokio::spawn(copy(client, server, Arc::clone(&state)));
            }
        });
        network
    }

    /// Loses the next answers to requests with this prefix, such as `POST /v1/usage`.
    pub fn lose(&self, requests: &str, times: usize) {
        self.state.lock().unwrap().lost = (requests.to_owned(), times);
    }

    /// Makes Stallkeeper unreachable, or reachable again.
    pub fn set_down(&self, is_down: bool) {
        self.state.lock().unwrap().is_down = is_down;
    }

    /// Returns all requests that got through, as they were sent.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Returns the number of requests with this prefix that got through, answered or not.
    pub fn count(&self, requests: &str) -> usize {
        let state = self.state.lock().unwrap();
        state.requests.iter().filter(|request| request.starts_with(requests.as_bytes())).count()
    }

    /// Sends the first request with this prefix again, as if it had been delayed on the way.
    pub async fn repeat_first(&self, requests: &str) {
        let first = {
            let state = self.state.lock().unwrap();
            let mut such = state.requests.iter().filter(|request| request.starts_with(requests.as_bytes()));
            such.next().unwrap().clone()
        };
        let mut server = TcpStream::connect(&self.server).await.unwrap();
        server.write_all(&first).await.unwrap();
        let mut answered = vec![0; 1 << 16];
        let length = server.read(&mut answered).await.unwrap();
        assert!(answered[..length].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answered[..length]));
    }
}

/// Copies bytes in both directions until one side closes the connection or an answer is lost. Then both connections
/// end.
async fn copy(mut client: TcpStream, mut server: TcpStream, state: Arc<Mutex<NetworkState>>) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                {
                    let mut state = state.lock().unwrap();
                    if state.is_down {
                        return;
                    }
                    // A small request arrives in one read.
                    state.requests.push(asked[..length].to_vec());
                }
                if server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                {
                    let mut state = state.lock().unwrap();
                    if state.lost.1 > 0 && asked.starts_with(state.lost.0.as_bytes()) {
                        state.lost.1 -= 1;
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
