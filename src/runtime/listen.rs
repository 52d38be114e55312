//! The socket of health and metrics.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use super::error::RunError;

/// Listens at an address. `[::]` takes IPv4 too; on a node without IPv6 it stands for 0.0.0.0, so that one default works on both.
pub(super) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), RunError> {
    let failed = |source| RunError::Listen { address, source };
    let listener = match TcpListener::bind(address).await {
        // A port that is taken is taken for both.
        Err(error) if error.kind() != std::io::ErrorKind::AddrInUse && address.is_ipv6() && address.ip().is_unspecified() => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await.map_err(|_| failed(error))?
        }
        bound => bound.map_err(failed)?,
    };
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn the_default_is_reached_over_ipv4_and_over_ipv6_where_the_node_has_it() {
        let (_listener, address) = listen("[::]:0".parse().unwrap()).await.unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, address.port())).await.expect("over IPv4");
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_ok() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, address.port())).await.expect("over IPv6");
        }
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_an_error_that_names_it() {
        let (_listener, address) = listen("[::]:0".parse().unwrap()).await.unwrap();
        let error = listen(address).await.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
    }
}
