package vmware

import "context"

// Dial opens the channel of the hypervisor's port, without looking at the processor.
func Dial() (call func(context.Context, string) (string, error), done func(), err error) {
	c, err := dial()
	if err != nil {
		return nil, nil, err
	}
	return c.call, c.close, nil
}

// IsVMwareCPU is isVMwareCPU, and ErrNoBackdoor its like.
var (
	IsVMwareCPU   = isVMwareCPU
	ErrNoBackdoor = errNoBackdoor
)
