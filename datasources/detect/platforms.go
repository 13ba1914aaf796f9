package detect

import (
	"strings"

	"cloudconfig/datasources/machine"
)

// platform is a cloud or a hypervisor that the firmware tells.
type platform struct {
	name   string // in its owner's words
	source string // the datasource that is asked there; "" if there is none of ours
	clues  []clue // any one of them is enough
}

// clue is a text of DMI, letter case aside. A "*" at its beginning or end is any text.
type clue struct {
	field field
	text  string
}

// field is a text of DMI, in words.
type field string

const (
	systemVendor field = "system vendor"
	product      field = "product name"
	serial       field = "product serial number"
	chassisTag   field = "chassis asset tag"
	chassisNo    field = "chassis serial number"
	boardName    field = "board name"
	biosVendor   field = "BIOS vendor"
	biosVersion  field = "BIOS version"
)

func (f field) of(d machine.DMI) string {
	switch f {
	case systemVendor:
		return d.SystemVendor
	case product:
		return d.ProductName
	case serial:
		return d.ProductSerial
	case chassisTag:
		return d.ChassisAssetTag
	case chassisNo:
		return d.ChassisSerial
	case boardName:
		return d.BoardName
	case biosVendor:
		return d.BIOSVendor
	case biosVersion:
		return d.BIOSVersion
	}
	panic("internal error: no field of DMI: " + string(f))
}

// platforms are in the order in which they are held against the machine: who resembles another comes before it.
//
// A UUID is never a clue: every 4,096th machine of anybody's has one that begins with "ec2". Neither is the system
// vendor "Google", which is that of laptops too.
//
// Source: cloud-init, tools/ds-identify at 0066a6bc3 (2025); systemd, hwdb.d/40-imds.hwdb at 3025f0787 (2026) and
// src/basic/virt.c (v252); the clouds' own pages on how to tell an instance.
func platforms() []platform {
	return []platform{
		// These speak EC2's protocol, or one like it, and are not EC2.
		{"Brightbox", "brightbox", []clue{{serial, "*.brightbox.com"}, {chassisNo, "*.brightbox.com"}, {systemVendor, "Brightbox*"}, {product, "Brightbox*"}}},
		{"ZStack", "", []clue{{chassisTag, "*.zstack.io"}, {systemVendor, "ZStack*"}}},
		{"E24Cloud", "", []clue{{systemVendor, "e24cloud"}}},
		{"Outscale", "", []clue{{systemVendor, "3DS Outscale"}, {product, "3DS Outscale VM"}}},
		{"Tilaa", "", []clue{{systemVendor, "Tilaa*"}}},
		{"Alibaba Cloud", "", []clue{{systemVendor, "Alibaba Cloud*"}, {product, "Alibaba Cloud ECS"}}},
		{"Exoscale", "", []clue{{systemVendor, "Exoscale*"}, {product, "Exoscale*"}}},
		{"Apache CloudStack", "", []clue{{product, "CloudStack*"}, {systemVendor, "Apache Software Foundation"}}},
		{"Tencent Cloud", "", []clue{{systemVendor, "Tencent Cloud*"}}},
		// These are asked.
		{"Amazon EC2", "ec2", []clue{{systemVendor, "Amazon EC2"}, {biosVendor, "Amazon EC2"}, {biosVersion, "*amazon*"}}},
		{"Google Compute Engine", "gce", []clue{{product, "Google Compute Engine"}, {serial, "GoogleCloud-*"}}},
		{"Microsoft Azure", "azure", []clue{{chassisTag, "7783-7084-3265-9085-8269-3286-77"}}},
		{"DigitalOcean", "digitalocean", []clue{{systemVendor, "DigitalOcean"}}},
		{"Hetzner Cloud", "hetzner", []clue{{systemVendor, "Hetzner"}}},
		{"Open Telekom Cloud", "openstack", []clue{{chassisTag, "OpenTelekomCloud"}}},
		{"Huawei Cloud", "openstack", []clue{{chassisTag, "HUAWEICLOUD"}, {systemVendor, "HUAWEICLOUD"}}},
		{"SAP Converged Cloud", "openstack", []clue{{chassisTag, "SAP CCloud VM"}}},
		{"Samsung Cloud Platform", "openstack", []clue{{chassisTag, "Samsung Cloud Platform"}}},
		{"OpenStack", "openstack", []clue{{product, "OpenStack Nova"}, {product, "OpenStack Compute"}, {chassisTag, "OpenStack Nova"},
			{chassisTag, "OpenStack Compute"}, {systemVendor, "OpenStack Foundation"}, {systemVendor, "RDO*"}}},
		{"VMware", "vmware", []clue{{systemVendor, "VMware*"}}},
		// These are known, so that nobody has to guess, and not asked: their services are others'.
		{"Oracle Cloud", "", []clue{{chassisTag, "OracleCloud.com"}}},
		{"Scaleway", "", []clue{{systemVendor, "Scaleway"}}},
		{"Vultr", "", []clue{{systemVendor, "Vultr"}}},
		{"UpCloud", "", []clue{{systemVendor, "UpCloud"}}},
		{"Akamai", "", []clue{{systemVendor, "Akamai"}, {systemVendor, "Linode"}}},
		{"NWCS", "", []clue{{systemVendor, "NWCS"}}},
		{"CloudSigma", "", []clue{{product, "CloudSigma"}}},
		{"IBM Cloud", "", []clue{{systemVendor, "IBM:Cloud*"}, {chassisTag, "ibmcloud"}}},
		{"Yandex Cloud", "", []clue{{systemVendor, "Yandex*"}}},
		{"SmartOS", "", []clue{{product, "SmartDC*"}}},
		{"LXD", "", []clue{{boardName, "LXD"}}},
		{"Nutanix", "", []clue{{systemVendor, "Nutanix"}, {product, "AHV"}}},
		{"KubeVirt", "", []clue{{systemVendor, "KubeVirt"}, {product, "KubeVirt"}}},
		{"Hyper-V", "", []clue{{systemVendor, "Microsoft Corporation"}}},
		{"VirtualBox", "", []clue{{product, "VirtualBox"}}},
		{"Xen", "", []clue{{systemVendor, "Xen"}}},
		{"QEMU", "", []clue{{systemVendor, "QEMU"}, {systemVendor, "Bochs"}, {product, "KVM"}}},
	}
}

// identify is the platform that DMI tells, and what told it: `system vendor "Amazon EC2"`.
func identify(d machine.DMI) (p platform, because string) {
	for _, p := range platforms() {
		for _, c := range p.clues {
			if text := c.field.of(d); c.fits(text) {
				return p, string(c.field) + " " + quote(text)
			}
		}
	}
	return platform{}, ""
}

func (c clue) fits(text string) bool {
	text, want := strings.ToLower(text), strings.ToLower(c.text)
	core := strings.Trim(want, "*")
	switch before, after := strings.HasPrefix(want, "*"), strings.HasSuffix(want, "*"); {
	case before && after:
		return strings.Contains(text, core)
	case before:
		return strings.HasSuffix(text, core)
	case after:
		return strings.HasPrefix(text, core)
	}
	return text == core
}
