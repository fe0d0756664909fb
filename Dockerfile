# Builds the image with a container engine. make image builds the same image without
# one; a test compares the two.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -tags timetzdata -ldflags '-s -w' -o /out/dmconnector ./cmd/dmconnector && \
    mkdir -m 0700 /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /out/data /data
COPY LICENSE NOTICE /
COPY --from=build /out/dmconnector /dmconnector
ENV DMCONNECTOR_LISTEN=0.0.0.0:8080 DMCONNECTOR_DATA=/data
USER 65532:65532
EXPOSE 8080
VOLUME /data
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 \
    CMD ["/dmconnector", "healthcheck"]
ENTRYPOINT ["/dmconnector"]
CMD ["serve"]
