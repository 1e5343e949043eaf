#ifndef CLEAVE_EMULATE_MACHINE_NAME_H_
#define CLEAVE_EMULATE_MACHINE_NAME_H_

#include <string>

namespace cleave::emulate {

// Returns this machine's processor, for reports; "unknown processor" where it does not say.
std::string MachineName();

}  // namespace cleave::emulate

#endif  // CLEAVE_EMULATE_MACHINE_NAME_H_
