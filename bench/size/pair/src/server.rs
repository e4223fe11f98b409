//! `server [ADDRESS [DIRECTORY]]`: serves files, echoes, and counts what it did, over HTTP/1 and HTTP/2.

use std::convert::Infallible;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use hyper::header::{HeaderValue, CONTENT_LENGTH, CONTENT_TYPE};
use hyper::service::{make_service_fn, service_fn};
use hyper::{Body, Method, Request, Response, Server, StatusCode};
use tokio::io::AsyncReadExt;

use crate::Failure;

const PIECE_BYTES: usize = 64 * 1024;

struct State {
    directory: PathBuf,
    requests: AtomicU64,
    bytes: AtomicU64,
}

fn answer(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// The path below `directory` that a request names; nothing outside it.
fn located(directory: &Path, requested: &str) -> Option<PathBuf> {
    let relative = Path::new(requested.trim_start_matches('/'));
    let is_inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
    is_inside.then(|| directory.join(relative))
}

async fn file(state: Arc<State>, path: PathBuf) -> Result<Response<Body>, Failure> {
    let mut file = tokio::fs::File::open(&path).await?;
    let length = file.metadata().await?.len();
    let (mut sender, body) = Body::channel();
    tokio::spawn(async move {
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(count) = file.read(&mut piece).await {
            if count == 0 || sender.send_data(piece[..count].to_vec().into()).await.is_err() {
                break;
            }
            state.bytes.fetch_add(count as u64, Ordering::Relaxed);
        }
    });
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    Ok(response)
}

async fn handle(state: Arc<State>, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    state.requests.fetch_add(1, Ordering::Relaxed);
    let path = request.uri().path().to_owned();
    let response = match (request.method(), path.as_str()) {
        (&Method::POST, "/echo") => Response::new(request.into_body()),
        (&Method::POST, "/reverse") => match hyper::body::to_bytes(request.into_body()).await {
            Ok(bytes) => Response::new(bytes.iter().rev().copied().collect::<Vec<u8>>().into()),
            Err(error) => answer(StatusCode::BAD_REQUEST, error.to_string()),
        },
        (&Method::GET, "/status") => {
            let requests = state.requests.load(Ordering::Relaxed);
            let bytes = state.bytes.load(Ordering::Relaxed);
            answer(StatusCode::OK, format!("{requests} requests, {bytes} bytes\n"))
        }
        (&Method::GET, _) => match located(&state.directory, &path) {
            Some(found) => match file(state, found).await {
                Ok(response) => response,
                Err(error) => answer(StatusCode::NOT_FOUND, error.to_string()),
            },
            None => answer(StatusCode::FORBIDDEN, "outside the directory\n".to_owned()),
        },
        (method, _) => answer(StatusCode::METHOD_NOT_ALLOWED, format!("no {method} here\n")),
    };
    Ok(response)
}

pub async fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned()).parse()?;
    let directory = arguments.next().unwrap_or_else(|| ".".to_owned()).into();
    let state = Arc::new(State { directory, requests: AtomicU64::new(0), bytes: AtomicU64::new(0) });
    let service = make_service_fn(move |_| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(service_fn(move |request| handle(state.clone(), request))) }
    });
    let server = Server::try_bind(&address)?.serve(service);
    eprintln!("listening on {}", server.local_addr());
    let stop = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            eprintln!("cannot wait for a signal: {error}");
        }
    };
    server.with_graceful_shutdown(stop).await?;
    Ok(())
}
