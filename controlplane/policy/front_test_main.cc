#define BOOST_TEST_MODULE policy_front
#include <boost/test/unit_test.hpp>
