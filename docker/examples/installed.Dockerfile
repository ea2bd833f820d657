FROM alpine:3.23
# Both files are beside this one: hype-run from target/images/linux-amd64 or your own copy.
COPY hype-run install-hype-run /tmp/
RUN sh /tmp/install-hype-run /tmp/hype-run && rm /tmp/hype-run /tmp/install-hype-run
ENTRYPOINT ["hype-run"]
