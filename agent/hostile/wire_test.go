package hostile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// wire is a connection to the broker that speaks just enough MQTT 3.1.1 (OASIS,
// 2014) to misbehave: it publishes at QoS 0 whatever it is given, as fast as it
// is told, and a library would stand in its way.
type wire struct {
	conn net.Conn

	mu  sync.Mutex // of out
	out *bufio.Writer

	ended chan struct{} // closed when nothing more is read
}

// heard is a message that the broker delivered.
type heard struct {
	topic   string
	payload []byte
}

const wireLimit = 5 * time.Second

// plugIn connects under a client id, with an offline will if one is given, and
// calls hear for every message of the filters. hear may be nil.
func plugIn(address, client string, will *shot, hear func(heard), filters ...string) (*wire, error) {
	conn, err := net.DialTimeout("tcp", address, wireLimit)
	if err != nil {
		return nil, err
	}
	w := &wire{conn: conn, out: bufio.NewWriterSize(conn, 64<<10), ended: make(chan struct{})}
	in := bufio.NewReader(conn)
	if err = w.greet(in, client, will, filters); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go w.listen(in, hear)
	return w, nil
}

func (w *wire) greet(in *bufio.Reader, client string, will *shot, filters []string) error {
	_ = w.conn.SetDeadline(time.Now().Add(wireLimit))
	defer func() { _ = w.conn.SetDeadline(time.Time{}) }()
	flags := byte(0x02) // a clean session
	body := text(client)
	if will != nil {
		flags |= 0x04 | 0x20 // retained
		body = append(append(body, text(will.topic)...), text(string(will.payload))...)
	}
	w.packet(0x10, append(append(text("MQTT"), 4, flags, 0, 0), body...))
	if len(filters) > 0 {
		body := []byte{0, 1}
		for _, f := range filters {
			body = append(append(body, text(f)...), 0)
		}
		w.packet(0x82, body)
	}
	if err := w.flush(); err != nil {
		return err
	}
	if first, body, err := readPacket(in); err != nil || first != 0x20 || len(body) != 2 || body[1] != 0 {
		return fmt.Errorf("the broker answers CONNECT with %#x %x: %w", first, body, err)
	}
	return nil
}

func text(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }

func (w *wire) packet(first byte, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	head := []byte{first}
	n := len(body)
	for ; n >= 0x80; n >>= 7 {
		head = append(head, byte(n)|0x80)
	}
	_, _ = w.out.Write(append(head, byte(n))) // the writer keeps the error for flush
	_, _ = w.out.Write(body)
}

// publish puts a message into the buffer.
func (w *wire) publish(s shot) {
	first := byte(0x30)
	if s.retained {
		first |= 1
	}
	w.packet(first, append(text(s.topic), s.payload...))
}

func (w *wire) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.conn.SetWriteDeadline(time.Now().Add(wireLimit))
	return w.out.Flush()
}

func (w *wire) listen(in *bufio.Reader, hear func(heard)) {
	defer close(w.ended)
	for {
		first, body, err := readPacket(in)
		if err != nil {
			return
		}
		if first>>4 != 3 || len(body) < 2 || hear == nil {
			continue
		}
		if n := int(binary.BigEndian.Uint16(body)); len(body) >= 2+n {
			hear(heard{string(body[2 : 2+n]), body[2+n:]})
		}
	}
}

// readPacket returns the first byte and the body of the next packet.
func readPacket(in *bufio.Reader) (byte, []byte, error) {
	first, err := in.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	n := 0
	for shift := 0; ; shift += 7 {
		b, err := in.ReadByte()
		if err != nil || shift > 21 {
			return 0, nil, errors.Join(err, errors.New("no packet"))
		}
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	body := make([]byte, n)
	_, err = io.ReadFull(in, body)
	return first, body, err
}

// tear ends the connection without a goodbye, so that the broker publishes the
// will.
func (w *wire) tear() {
	_ = w.conn.Close()
	<-w.ended
}
