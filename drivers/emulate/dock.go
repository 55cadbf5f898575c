package emulate

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
)

// Dock is a TCP port behind which a device of the network stands.
type Dock struct {
	Device // Serve is the dock's business

	address string

	mu     sync.Mutex
	cancel context.CancelFunc // ends every connection; nil while unplugged
	wait   *sync.WaitGroup
	closed bool
}

// Listen puts a device at an address, such as 127.0.0.1:0. Close the dock to end
// it.
func Listen(address string, device Device) (*Dock, error) {
	d := &Dock{Device: device, address: address}
	if err := d.Replug(); err != nil {
		return nil, err
	}
	return d, nil
}

// Address is where a host connects; it stays the same.
func (d *Dock) Address() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.address
}

// Unplug takes the device off the network: connections are dropped, and new
// ones refused. It does nothing if it is unplugged already.
func (d *Dock) Unplug() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unplug()
	return nil
}

func (d *Dock) unplug() {
	if d.cancel != nil {
		d.cancel()
		d.wait.Wait()
		d.cancel = nil
	}
}

// Replug brings the device back at the same address. It does nothing if it is
// there already.
func (d *Dock) Replug() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return fmt.Errorf("plug in %s: %w", d.address, os.ErrClosed)
	}
	if d.cancel != nil {
		return nil
	}
	listener, err := net.Listen("tcp", d.address)
	if err != nil {
		return fmt.Errorf("plug in: %w", err)
	}
	d.address = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel, d.wait = cancel, new(sync.WaitGroup)
	wait := d.wait
	wait.Go(func() {
		<-ctx.Done()
		listener.Close()
	})
	wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // only the dock closes its listener
			}
			wait.Go(func() { _ = d.Serve(ctx, conn) }) // ends with the connection
		}
	})
	return nil
}

// Close unplugs the device for good.
func (d *Dock) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.unplug()
	return nil
}

// Do adds "fault unplug [off]" to the commands of the device.
func (d *Dock) Do(command string) error {
	switch strings.Join(strings.Fields(command), " ") {
	case "fault unplug", "fault unplug on":
		return d.Unplug()
	case "fault unplug off":
		return d.Replug()
	}
	return d.Device.Do(command)
}

// Help implements [Device].
func (d *Dock) Help() string {
	return d.Device.Help() + "\nfault unplug [off]"
}
