//! `client [-2] [-X METHOD] [-H NAME:VALUE]... [-d FILE] [-o FILE] [-n COUNT] URL`: sends requests, writes the answer.

use std::time::Instant;

use hyper::body::HttpBody;
use hyper::header::{HeaderName, HeaderValue, LOCATION};
use hyper::{Body, Client, Method, Request, Response, Uri};
use tokio::io::AsyncWriteExt;

use crate::Failure;

const MAX_REDIRECTS: usize = 5;

pub struct Options {
    http2: bool,
    method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
    data: Option<String>,
    output: Option<String>,
    count: usize,
    url: Uri,
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let mut options = Options {
        http2: false,
        method: Method::GET,
        headers: Vec::new(),
        data: None,
        output: None,
        count: 1,
        url: Uri::default(),
    };
    let mut url = None;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "-2" => options.http2 = true,
            "-X" => options.method = value()?.parse()?,
            "-H" => {
                let header = value()?;
                let (name, content) = header.split_once(':').ok_or("a header is NAME:VALUE")?;
                options.headers.push((name.parse()?, content.trim().parse()?));
            }
            "-d" => options.data = Some(value()?),
            "-o" => options.output = Some(value()?),
            "-n" => options.count = value()?.parse()?,
            other => url = Some(other.parse::<Uri>()?),
        }
    }
    options.url = url.ok_or("no URL")?;
    Ok(options)
}

async fn request(options: &Options, url: &Uri) -> Result<Request<Body>, Failure> {
    let body = match &options.data {
        Some(path) => Body::from(tokio::fs::read(path).await?),
        None => Body::empty(),
    };
    let mut request = Request::builder().method(&options.method).uri(url).body(body)?;
    for (name, value) in &options.headers {
        request.headers_mut().append(name, value.clone());
    }
    Ok(request)
}

/// The absolute URL that a redirect from `url` leads to.
fn redirected(url: &Uri, response: &Response<Body>) -> Result<Option<Uri>, Failure> {
    if !response.status().is_redirection() {
        return Ok(None);
    }
    let location = match response.headers().get(LOCATION) {
        Some(location) => location.to_str()?.parse::<Uri>()?,
        None => return Ok(None),
    };
    let mut parts = location.into_parts();
    parts.scheme = parts.scheme.or_else(|| url.scheme().cloned());
    parts.authority = parts.authority.or_else(|| url.authority().cloned());
    Ok(Some(Uri::from_parts(parts)?))
}

pub async fn run(arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let options = parse(arguments)?;
    let client: Client<_, Body> = Client::builder().http2_only(options.http2).build_http();
    let mut output: Box<dyn tokio::io::AsyncWrite + Unpin> = match &options.output {
        Some(path) => Box::new(tokio::fs::File::create(path).await?),
        None => Box::new(tokio::io::stdout()),
    };
    for number in 0..options.count {
        let start = Instant::now();
        let mut url = options.url.clone();
        let mut response = client.request(request(&options, &url).await?).await?;
        for _ in 0..MAX_REDIRECTS {
            match redirected(&url, &response)? {
                Some(next) => url = next,
                None => break,
            }
            response = client.request(request(&options, &url).await?).await?;
        }
        eprintln!("{number}: {:?} {}", response.version(), response.status());
        for (name, value) in response.headers() {
            eprintln!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
        let mut length = 0;
        while let Some(piece) = response.body_mut().data().await {
            let piece = piece?;
            length += piece.len();
            output.write_all(&piece).await?;
        }
        output.flush().await?;
        eprintln!("{length} bytes in {:?}", start.elapsed());
    }
    Ok(())
}
