FROM debian:trixie-slim
COPY --from=spotify/hype:0.1.0 /usr/local/bin/hype-run /usr/local/bin/hype-run
# Debian has no root certificates without its package ca-certificates; a stage in a directory needs none.
COPY --from=spotify/hype:0.1.0 /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENTRYPOINT ["hype-run"]
