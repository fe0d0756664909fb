package httpapi

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// silence returns for how long nothing has arrived on a connection, and whether
// something has that nobody has read. Only the kernel knows how long a connection waited
// before it was accepted.
func silence(c net.Conn) (silent time.Duration, unread bool) {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, false
	}
	_ = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			silent = time.Duration(info.Last_data_recv) * time.Millisecond
		}
		waiting, err := unix.IoctlGetInt(int(fd), unix.SIOCINQ)
		unread = err == nil && waiting > 0
	})
	return silent, unread
}
