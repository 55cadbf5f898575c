package board

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"traveler.example/drivers"
)

func TestPin(t *testing.T) {
	fake := &gpiotest.Pin{N: "BOARDTEST1", Num: 9100}
	if err := gpioreg.Register(fake); err != nil {
		t.Fatal(err)
	}
	defer gpioreg.Unregister(fake.N)
	var b Board
	if got, err := b.Pin(fake.N); err != nil || got != fake {
		t.Errorf("got %v, %v, want the pin of that name", got, err)
	}
	for _, name := range []string{"", "NOPIN"} {
		if _, err := b.Pin(name); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), `"`+name+`"`) {
			t.Errorf("pin %q: got %v, want ErrMissing with its name", name, err)
		}
	}
}

func TestPinRemedy(t *testing.T) {
	b := Board{dev: t.TempDir()}
	if got := b.pinRemedy(); !strings.Contains(got, "no GPIO pins") {
		t.Errorf("without any chip: %s", got)
	}
	write(t, filepath.Join(b.dev, "gpiochip0"))
	if got := b.pinRemedy(); !strings.Contains(got, "gpioinfo") {
		t.Errorf("with a chip: %s", got)
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// opened is what SPI and I2C have in common.
func (b *Board) opened(ctx context.Context, path string) error {
	if strings.Contains(path, "spi") {
		_, err := b.SPI(ctx, path)
		return err
	}
	_, err := b.I2C(ctx, path)
	return err
}

func TestNodes(t *testing.T) {
	dir := t.TempDir()
	b := &Board{dev: dir}
	held := filepath.Join(dir, "spidev3.1")
	for _, name := range []string{"spidev3.1", "spidev3.x", "spidev3.01", "i2c-9"} {
		write(t, filepath.Join(dir, name))
	}
	for _, name := range []string{"spidev3.1", "i2c-9"} {
		fd, err := unix.Open(filepath.Join(dir, name), unix.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "reader-spi")
	if err := os.Symlink(held, link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path string
		is         error
		says       string
	}{
		{"SPI that is off", filepath.Join(dir, "spidev0.0"), ErrMissing, "dtparam=spi=on"},
		{"I2C that is off", filepath.Join(dir, "i2c-1"), ErrMissing, "dtparam=i2c_arm=on"},
		{"held SPI", held, drivers.ErrBusy, "fuser -v " + held},
		{"held SPI by a link", link, drivers.ErrBusy, "fuser -v " + held},
		{"held I2C", filepath.Join(dir, "i2c-9"), drivers.ErrBusy, "i2c-9"},
		{"no SPI port", filepath.Join(dir, "spidev3.x"), nil, "is no SPI port; it is named like /dev/spidev0.0"},
		{"another spelling", filepath.Join(dir, "spidev3.01"), nil, "is no SPI port"},
		{"elsewhere", "/dev/null", nil, "is no I2C bus; it is named like /dev/i2c-0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := b.opened(t.Context(), tt.path)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %v that says %q", err, tt.is, tt.says)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.SPI(ctx, held); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}
}

// A node that periph cannot open leaves no lock behind.
func TestLockIsFreed(t *testing.T) {
	b := &Board{dev: t.TempDir()}
	path := filepath.Join(b.dev, "spidev250.250") // no board has so many
	write(t, path)
	for range 2 {
		if _, err := b.SPI(t.Context(), path); err == nil || errors.Is(err, drivers.ErrBusy) {
			t.Fatalf("got %v, want periph's error each time", err)
		}
	}
}
