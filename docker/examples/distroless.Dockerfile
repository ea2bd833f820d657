FROM gcr.io/distroless/base-debian13
COPY --from=spotify/hype:0.1.0 /usr/local/bin/hype-run /usr/local/bin/hype-run
ENTRYPOINT ["hype-run"]
