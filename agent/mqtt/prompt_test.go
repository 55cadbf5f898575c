package mqtt

import (
	"net"
	"syscall"
	"testing"
)

// TestPromptAcknowledgements: after each read the kernel is told to acknowledge,
// though both sides have spoken in turns, when it would put that off.
func TestPromptAcknowledgements(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	exchange := func(by net.Conn) {
		for range 8 {
			if _, err := far.Write([]byte("?")); err != nil {
				t.Fatal(err)
			}
			if _, err := by.Read(make([]byte, 8)); err != nil {
				t.Fatal(err)
			}
			if by != near && !promptly(t, near.(*net.TCPConn)) {
				t.Fatal("acknowledgements are put off after a read")
			}
			if _, err := by.Write([]byte("!")); err != nil {
				t.Fatal(err)
			}
			if _, err := far.Read(make([]byte, 8)); err != nil {
				t.Fatal(err)
			}
		}
	}
	exchange(near)
	if promptly(t, near.(*net.TCPConn)) {
		t.Skip("this kernel does not put off acknowledgements")
	}
	exchange(prompt(near))
	pipe, other := net.Pipe()
	defer pipe.Close()
	defer other.Close()
	if prompt(pipe) != pipe {
		t.Error("a connection that is not TCP was wrapped")
	}
}

// promptly reads what the kernel does now.
func promptly(t *testing.T, c *net.TCPConn) (on bool) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		v, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK)
		if err != nil {
			t.Error(err)
		}
		on = v != 0
	}); err != nil {
		t.Fatal(err)
	}
	return on
}
