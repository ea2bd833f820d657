FROM alpine:3.23
# Both stand beside this file, the first of target/images/linux-amd64 or of where you keep it.
COPY hype-run install-hype-run /tmp/
RUN sh /tmp/install-hype-run /tmp/hype-run && rm /tmp/hype-run /tmp/install-hype-run
ENTRYPOINT ["hype-run"]
