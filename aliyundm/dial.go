package aliyundm

import (
	"context"
	"errors"
	"net"
	"time"
)

// A dialer connects for the calls to Aliyun.
type dialer struct {
	timeout time.Duration
}

func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	connected, err := (&net.Dialer{Timeout: d.timeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := conn{connected.(*net.TCPConn)}
	// A call that is given up must not arrive later: without linger, closing resets
	// the connection and drops what is unsent; the kernel would otherwise go on sending
	// it for minutes. An idle connection loses nothing by it, as its answers were read.
	if err := c.SetLinger(0); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// A conn is a TCP connection that closes at once, also below TLS.
type conn struct{ *net.TCPConn }

// SetWriteDeadline ends all writing. Only TLS calls it, for the alert before it closes:
// that would wait 5 s for a peer that does not read, while the kernel goes on sending.
func (c conn) SetWriteDeadline(time.Time) error {
	return c.TCPConn.SetWriteDeadline(time.Unix(1, 0))
}
