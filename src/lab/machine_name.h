#ifndef CLEAVE_LAB_MACHINE_NAME_H_
#define CLEAVE_LAB_MACHINE_NAME_H_

#include <string>

namespace cleave {

// This machine's processor, for reports; "unknown processor" where it does not say.
std::string MachineName();

}  // namespace cleave

#endif  // CLEAVE_LAB_MACHINE_NAME_H_
