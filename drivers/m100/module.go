package m100

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
	"unicode"

	"traveler.example/drivers"
)

const (
	// probeRounds is how often each framing is tried: the first command is lost on
	// a module that sleeps.
	probeRounds = 2
	// pollRounds is how many rounds one command of multiple polling is good for:
	// as many as there are. The health check restarts it long before.
	pollRounds = 0xFFFF
	// DefaultQ is the Q that 0 stands for: what modules come with.
	DefaultQ = 4
)

// module speaks the commands that a reader of tags needs.
type module struct {
	*link
	want    settings
	model   string
	polling bool
}

// settings are what a module forgets when it sleeps or its supply blinks. Zero
// values of power and region are replaced by what the module has at the start.
type settings struct {
	region Region
	power  int // in hundredths of a dBm
	q      int
}

// start finds the module's framing, identifies it and applies the settings.
func (m *module) start(ctx context.Context, first Framing) error {
	if err := m.drain(ctx); err != nil {
		return err
	}
	if err := m.probe(ctx, first); err != nil {
		return err
	}
	m.polling, m.late = true, true // it may poll for a host that went away, and has answers to the probes under way
	if err := m.stop(ctx); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	model, err := m.version(ctx)
	if err != nil {
		return fmt.Errorf("identify: %w", err)
	}
	m.model = model
	return m.apply(ctx)
}

// probe says stop in one framing after the other until the module says anything
// in one of them. Stop is what any module can be told in any state; one that is
// polling for a host that went away says enough by itself.
func (m *module) probe(ctx context.Context, first Framing) error {
	second := FramingAA
	if first == FramingAA {
		second = FramingBB
	}
	m.parser.Framing = 0
	for range probeRounds {
		for _, framing := range [...]Framing{first, second} {
			if err := ctx.Err(); err != nil {
				return err
			}
			m.framing = framing
			if err := m.send(cmdStopPoll); err != nil {
				return fmt.Errorf("find framing: %w", err)
			}
			if err := m.send(cmdVersion, versionHardware); err != nil {
				return fmt.Errorf("find framing: %w", err)
			}
			f, err := m.spoken(time.Now().Add(answerLimit))
			if err == nil {
				m.framing, m.parser.Framing = f.Framing, f.Framing
				return nil
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				return fmt.Errorf("find framing: %w", err)
			}
		}
	}
	return fmt.Errorf("%w: no frame in either framing (%v, %v); check cable, supply and baud rate", drivers.ErrSilent, FramingBB, FramingAA)
}

// spoken returns the next frame that is not an echo of our own.
func (m *module) spoken(deadline time.Time) (Frame, error) {
	for {
		f, err := m.next(deadline)
		if err != nil || f.Type != TypeCommand {
			return f, err
		}
	}
}

// version returns what the module says it is: its hardware and its software.
func (m *module) version(ctx context.Context) (string, error) {
	hardware, err := m.text(ctx, versionHardware)
	if err != nil {
		return "", err
	}
	software, err := m.text(ctx, versionSoftware)
	var refused Failure
	if errors.As(err, &refused) {
		return hardware, nil // some firmware has no second version
	}
	if err != nil {
		return "", err
	}
	return hardware + " " + software, nil
}

func (m *module) text(ctx context.Context, what byte) (string, error) {
	b, err := m.exchange(ctx, answerLimit, cmdVersion, what)
	if err != nil {
		return "", err
	}
	if len(b) < 2 || b[0] != what {
		return "", fmt.Errorf("%w: version % X, kind %02X and its text are expected", drivers.ErrProtocol, b, what)
	}
	for _, c := range b[1:] {
		if c > unicode.MaxASCII || !unicode.IsPrint(rune(c)) {
			return "", fmt.Errorf("%w: version % X is no text", drivers.ErrProtocol, b[1:])
		}
	}
	return string(b[1:]), nil
}

// apply sets what the module forgets and reads it back. What was not wished for
// is what the module has now, from here on.
func (m *module) apply(ctx context.Context) error {
	if m.want.region != 0 {
		if err := m.set(ctx, cmdSetRegion, byte(m.want.region)); err != nil {
			return fmt.Errorf("set region %v: %w", m.want.region, err)
		}
	}
	if m.want.power != 0 {
		if err := m.set(ctx, cmdSetPower, byte(m.want.power>>8), byte(m.want.power)); err != nil {
			return fmt.Errorf("set power %s: %w", dBm(m.want.power), err)
		}
	}
	query := queryParams(m.want.q)
	var refused Failure
	if err := m.set(ctx, cmdSetQuery, query[:]...); err != nil && !errors.As(err, &refused) {
		return fmt.Errorf("set query: %w", err) // firmware that has only one query refuses, and polls all the same
	}
	now, err := m.readBack(ctx)
	if err != nil {
		return err
	}
	if m.want.region == 0 {
		m.want.region = now.region
	}
	if m.want.power == 0 {
		m.want.power = now.power
	}
	return m.compare(now)
}

// queryParams are the parameters of Query (protocol V2.1, 4.12): DR 8, M 1, pilot
// tone, every tag, session S0, target A. Another session would have a tag fall
// silent once it was read, and its presence could not be seen.
func queryParams(q int) [2]byte { return [2]byte{0x10, byte(q) << 3} }

func (m *module) set(ctx context.Context, cmd byte, params ...byte) error {
	b, err := m.exchange(ctx, answerLimit, cmd, params...)
	if err == nil && (len(b) != 1 || b[0] != 0x00) {
		err = fmt.Errorf("%w: answered % X, 00 is expected", drivers.ErrProtocol, b)
	}
	return err
}

func (m *module) readBack(ctx context.Context) (settings, error) {
	region, err := m.exchange(ctx, answerLimit, cmdGetRegion)
	if err == nil && len(region) != 1 {
		err = fmt.Errorf("%w: answered % X, one byte is expected", drivers.ErrProtocol, region)
	}
	if err != nil {
		return settings{}, fmt.Errorf("read region back: %w", err)
	}
	now := settings{region: Region(region[0])}
	power, err := m.exchange(ctx, answerLimit, cmdGetPower)
	if err == nil && len(power) != 2 {
		err = fmt.Errorf("%w: answered % X, two bytes are expected", drivers.ErrProtocol, power)
	}
	if err != nil {
		return settings{}, fmt.Errorf("read power back: %w", err)
	}
	now.power = int(power[0])<<8 | int(power[1])
	return now, nil
}

// compare says in which way the module's settings are not those wished for.
func (m *module) compare(now settings) error {
	if now.region != m.want.region {
		return fmt.Errorf("%w: region is %v, not %v; the module does not know it or has lost its settings", drivers.ErrProtocol, now.region, m.want.region)
	}
	if now.power != m.want.power {
		return fmt.Errorf("%w: power is %s, not %s; the module cannot make it or has lost its settings", drivers.ErrProtocol, dBm(now.power), dBm(m.want.power))
	}
	return nil
}

func dBm(hundredths int) string { return fmt.Sprintf("%.2f dBm", float64(hundredths)/100) }

// check makes sure that the module is alive, the same one, and has its settings.
func (m *module) check(ctx context.Context) error {
	model, err := m.version(ctx)
	if err != nil {
		return err
	}
	if model != m.model {
		return fmt.Errorf("%w: it says it is %q and was %q before", drivers.ErrProtocol, model, m.model)
	}
	return m.remembers(ctx)
}

// remembers makes sure that the module still has its settings.
func (m *module) remembers(ctx context.Context) error {
	now, err := m.readBack(ctx)
	if err != nil {
		return err
	}
	if err := m.compare(now); err != nil {
		return fmt.Errorf("%w: %w", drivers.ErrForgot, err)
	}
	return nil
}

// poll starts multiple polling. It has no response of its own.
func (m *module) poll() error {
	if err := m.send(cmdMultiPoll, pollReserved, pollRounds>>8, pollRounds&0xFF); err != nil {
		return err
	}
	m.at = time.Now()
	m.polling = true
	return nil
}

// stop ends multiple polling. What the module still says of tags until it has
// stopped is heard like the rest.
func (m *module) stop(ctx context.Context) error {
	if !m.polling {
		return nil
	}
	_, err := m.exchange(ctx, answerLimit, cmdStopPoll)
	m.hand()
	if errors.Is(err, drivers.ErrSilent) && m.lost == nil {
		// Some firmware says nothing to a stop when it has stopped already. While it
		// polls it answers nothing else.
		_, err = m.exchange(ctx, answerLimit, cmdVersion, versionHardware)
	}
	m.polling = false
	var refused Failure
	if errors.As(err, &refused) {
		return nil // there was nothing to stop
	}
	return err
}

// setBaud has the module speak at another speed from now on. It does not answer,
// so that nothing but time tells that the command is out; closing the port
// would throw it away.
func (m *module) setBaud(ctx context.Context, baud int) error {
	m.polling, m.late = true, true
	if err := m.stop(ctx); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	if err := m.send(cmdSetBaud, byte(baud/100>>8), byte(baud/100)); err != nil {
		return err
	}
	return m.drain(ctx)
}

// sleep has the module save power. Any byte wakes it; that byte's command and
// all settings are lost.
func (m *module) sleep(ctx context.Context) error { return m.set(ctx, cmdSleep) }
