FROM alpine:3.23
COPY --from=spotify/hype:0.1.0 /usr/local/bin/hype-run /usr/local/bin/hype-run
ENTRYPOINT ["hype-run"]
